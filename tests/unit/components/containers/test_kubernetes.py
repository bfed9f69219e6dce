from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.containers.kubernetes import NEEDS_ENDPOINTS, KubernetesCluster
from archlib.components.containers.kubernetes_nodes import NodeGroup
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.network.vpc import Vpc
from archlib.core.values import encode
from archlib.errors import SettingsError

Rendered = Callable[[], dict[str, Any]]
Properties = Callable[[str], dict[str, Any]]
Make = Callable[..., KubernetesCluster]

ADMINS = {"operators": "Operators"}
NODES = {"Fn::GetAtt": ["MainNodesSecurityGroup", "GroupId"]}
PLANE = {"Fn::GetAtt": ["MainKubernetesCluster", "ClusterSecurityGroupId"]}


@pytest.fixture
def make(app: App, stack: Stack) -> Make:
    """Make the cluster ``main``."""

    def cluster(**settings: Any) -> KubernetesCluster:
        network = settings.pop("network", None) or Vpc(Stack(app, "network"), "main", endpoints=NEEDS_ENDPOINTS)
        return KubernetesCluster(stack, "main", network=network, **{"admins": ADMINS, **settings})

    return cluster


def rules(found: dict[str, Any], kind: str) -> set[tuple[str, str, Any]]:
    """Return the security-group rules of a kind: from or to where, and on which port."""
    other = "SourceSecurityGroupId" if kind == "Ingress" else "DestinationSecurityGroupId"
    return {
        (
            json.dumps(node["GroupId"]),
            json.dumps(node.get(other)),
            node["FromPort"] if node["FromPort"] == node["ToPort"] else node["IpProtocol"],
        )
        for node in (each["Properties"] for each in found.values() if each["Type"] == f"AWS::EC2::SecurityGroup{kind}")
    }


def actions(found: dict[str, Any], policy: str) -> dict[str, Any]:
    """Return the actions of a policy, and what they are allowed on."""
    return {
        action: statement
        for statement in found[policy]["Properties"]["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }


def test_is_private_encrypted_and_recorded(make: Make, rendered: Rendered) -> None:
    make()

    found = rendered()
    cluster = found["MainKubernetesCluster"]["Properties"]

    assert cluster["Name"] == "shop-test-main"
    assert cluster["ResourcesVpcConfig"] == {
        "EndpointPrivateAccess": True,
        "EndpointPublicAccess": False,
        "SubnetIds": [{"Ref": f"MainPrivateSubnet{zone}"} for zone in (1, 2)],
    }
    assert cluster["EncryptionConfig"] == [{"Provider": {"KeyArn": {"Ref": "AppKeyArn"}}, "Resources": ["secrets"]}]
    assert {row["Type"] for row in cluster["Logging"]["ClusterLogging"]["EnabledTypes"]} == {
        "api", "audit", "authenticator", "controllerManager", "scheduler",
    }  # fmt: skip
    assert cluster["UpgradePolicy"] == {"SupportType": "STANDARD"}
    assert cluster["DeletionProtection"] is True


def test_the_log_group_and_the_rights_are_there_before_the_cluster(make: Make, rendered: Rendered) -> None:
    make(log_retention_days=30)

    found = rendered()

    assert found["MainKubernetesLogGroup"]["Properties"]["LogGroupName"] == "/aws/eks/shop-test-main/cluster"
    assert found["MainKubernetesLogGroup"]["Properties"]["RetentionInDays"] == 30
    assert set(found["MainKubernetesCluster"]["DependsOn"]) == {"MainKubernetesLogGroup", "MainKubernetesPolicy"}


def test_a_throw_away_cluster_can_be_deleted() -> None:
    app = App("shop", "test", removal="Delete")
    stack = Stack(app, "main")
    KubernetesCluster(stack, "main", network=Vpc(stack, "main", endpoints=NEEDS_ENDPOINTS), admins=ADMINS)

    found = {name: node for each in app.assemble() for name, node in each.template["Resources"].items()}

    assert found["MainKubernetesCluster"]["Properties"]["DeletionProtection"] is False


def test_the_control_plane_has_no_more_than_aws_documents(make: Make, rendered: Rendered) -> None:
    make()

    found = rendered()
    rights = actions(found, "MainKubernetesPolicy")

    assert "ManagedPolicyArns" not in found["MainKubernetesRole"]["Properties"]
    assert rights["ec2:CreateTags"]["Condition"] == {
        "ForAnyValue:StringLike": {"aws:TagKeys": "kubernetes.io/cluster/*"}
    }
    assert rights["kms:Decrypt"]["Resource"] == [{"Ref": "AppKeyArn"}]
    assert [action for action, row in rights.items() if row["Resource"] == ["*"] and "Describe" not in action] == []


def test_the_key_lets_eks_make_its_grant(stack: Stack, make: Make, properties: Properties) -> None:
    make(key=Key(stack, "own"))

    deny = properties("OwnKey")["KeyPolicy"]["Statement"][1]

    assert properties("MainKubernetesCluster")["EncryptionConfig"][0]["Provider"] == {
        "KeyArn": {"Fn::GetAtt": ["OwnKey", "Arn"]}
    }
    assert deny["Condition"]["StringNotEquals"] == {"kms:ViaService": {"Fn::Sub": "eks.${AWS::Region}.amazonaws.com"}}


def test_only_its_administrators_may_use_it(make: Make, rendered: Rendered) -> None:
    make()

    found = rendered()

    assert found["MainKubernetesCluster"]["Properties"]["AccessConfig"] == {
        "AuthenticationMode": "API",
        "BootstrapClusterCreatorAdminPermissions": False,
    }
    entries = [name for name, node in found.items() if node["Type"] == "AWS::EKS::AccessEntry"]
    assert entries == ["MainOperatorsAdministrator"]


@pytest.mark.parametrize(
    ("role", "principal"),
    [
        ("people/Operators", {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/people/Operators"}),
        ("arn:aws:iam::123456789012:role/x", "arn:aws:iam::123456789012:role/x"),
    ],
)
def test_admits_roles_by_name_or_arn(make: Make, properties: Properties, role: str, principal: Any) -> None:
    make(admins={"operators": role})

    entry = properties("MainOperatorsAdministrator")

    assert entry["PrincipalArn"] == principal
    assert entry["AccessPolicies"] == [
        {
            "AccessScope": {"Type": "cluster"},
            "PolicyArn": {
                "Fn::Sub": "arn:${AWS::Partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
            },
        }
    ]


def test_admits_roles_of_the_app(stack: Stack, make: Make, properties: Properties) -> None:
    make().admit("deployer", Role(stack, "deployer", service="codebuild").arn)

    assert properties("MainDeployerAdministrator")["PrincipalArn"] == {"Fn::GetAtt": ["DeployerRole", "Arn"]}


def test_answers_over_the_internet_to_named_networks_only(make: Make, properties: Properties) -> None:
    make(public_cidrs=["198.51.100.0/24"])

    access = properties("MainKubernetesCluster")["ResourcesVpcConfig"]

    assert access["EndpointPublicAccess"] is True
    assert access["EndpointPrivateAccess"] is True
    assert access["PublicAccessCidrs"] == ["198.51.100.0/24"]


def test_nodes_come_after_what_makes_them_ready(make: Make, rendered: Rendered) -> None:
    make(nodes={"general": NodeGroup(), "batch": NodeGroup(spot=True)})

    found = rendered()

    for group in ("MainGeneralNodes", "MainBatchNodes"):
        assert set(found[group]["DependsOn"]) == {
            "MainNodesPolicy", "MainVpcCniPolicy", "MainVpcCniAddon", "MainKubeProxyAddon",
            "MainEksPodIdentityAgentAddon",
        }  # fmt: skip
        assert found[group]["Properties"]["Version"] == found["MainKubernetesCluster"]["Properties"]["Version"]
    assert set(found["MainCorednsAddon"]["DependsOn"]) == {"MainGeneralNodes", "MainBatchNodes"}
    assert found["MainKubernetesCluster"]["Properties"]["BootstrapSelfManagedAddons"] is False


def test_nodes_leave_the_addresses_of_pods_to_the_add_on(make: Make, rendered: Rendered) -> None:
    make()

    found = rendered()
    addon = found["MainVpcCniAddon"]["Properties"]

    assert [action for action in actions(found, "MainNodesPolicy") if "NetworkInterface" in action] == []
    assert "ec2:AttachNetworkInterface" in actions(found, "MainVpcCniPolicy")
    assert addon["PodIdentityAssociations"] == [
        {"RoleArn": {"Fn::GetAtt": ["MainVpcCniRole", "Arn"]}, "ServiceAccount": "aws-node"}
    ]
    assert json.loads(addon["ConfigurationValues"]) == {"enableNetworkPolicy": "true"}


def test_opens_exactly_what_kubernetes_needs(make: Make, rendered: Rendered) -> None:
    make()

    found = rendered()
    nodes, plane = json.dumps(NODES), json.dumps(PLANE)
    back = {(nodes, plane, port) for port in (443, 4443, 8443, 9443, 10250)}
    endpoints = json.dumps({"Ref": "MainEndpointsSecurityGroupGroupId"})

    assert rules(found, "Ingress") == {
        (endpoints, nodes, 443), (plane, nodes, 443), (nodes, nodes, "tcp"), (nodes, nodes, "udp"), *back,
    }  # fmt: skip
    assert rules(found, "Egress") == {
        (nodes, endpoints, 443), (nodes, plane, 443), (nodes, nodes, "tcp"), (nodes, nodes, "udp"),
        (nodes, "null", 443),
        *((plane, nodes, port) for _, _, port in back),
    }  # fmt: skip
    assert "0.0.0.0/0" not in json.dumps(found)


def test_reaches_the_internet_when_asked_to(app: App, make: Make, rendered: Rendered) -> None:
    make(network=Vpc(Stack(app, "network"), "main", nat="one"), internet=True)

    ways = [node["Properties"].get("CidrIp") for node in rendered().values() if node["Type"].endswith("GroupEgress")]

    assert ways.count("0.0.0.0/0") == 1


def test_opens_the_way_to_images_once(app: App, make: Make, rendered: Rendered) -> None:
    network = Vpc(Stack(app, "network"), "main", endpoints=NEEDS_ENDPOINTS, prefix_lists={"s3": "pl-0123456789abcdef0"})
    make(network=network)

    lists = [
        node["Properties"].get("DestinationPrefixListId") for node in rendered().values() if "Egress" in node["Type"]
    ]

    assert [each for each in lists if each] == ["pl-0123456789abcdef0"]


def test_runs_on_fargate_alone(make: Make, rendered: Rendered) -> None:
    cluster = make(fargate=["kube-system", "default"])

    found = rendered()
    types = {node["Type"] for node in found.values()}

    assert types.isdisjoint({"AWS::EKS::Nodegroup", "AWS::EC2::LaunchTemplate"})
    assert cluster.node_role is None
    assert found["MainFargateProfile"]["Properties"]["Selectors"] == [
        {"Namespace": "kube-system"}, {"Namespace": "default"},
    ]  # fmt: skip
    assert [name for name in found if name.endswith("Addon")] == ["MainCorednsAddon"]
    assert json.loads(found["MainCorednsAddon"]["Properties"]["ConfigurationValues"]) == {"computeType": "Fargate"}
    assert found["MainCorednsAddon"]["DependsOn"] == "MainFargateProfile"
    assert {source for _, source, _ in rules(found, "Ingress")} == {json.dumps(PLANE)}


def test_pods_on_fargate_and_on_nodes_reach_each_other(make: Make, rendered: Rendered) -> None:
    make(nodes={"default": NodeGroup()}, fargate=["reports"])

    nodes, plane = json.dumps(NODES), json.dumps(PLANE)
    found = rules(rendered(), "Ingress")

    assert {(nodes, plane, "udp"), (plane, nodes, "udp"), (nodes, nodes, "udp")} <= found
    assert (plane, plane, "udp") not in found


def test_pods_have_volumes_when_asked_for(make: Make, rendered: Rendered) -> None:
    make(volumes=True)

    found = rendered()
    rights = actions(found, "MainEbsCsiPolicy")

    assert set(found["MainAwsEbsCsiDriverAddon"]["DependsOn"]) == {"MainDefaultNodes", "MainEbsCsiPolicy"}
    assert rights["ec2:DeleteVolume"]["Condition"] == {
        "StringEquals": {"aws:ResourceTag/ebs.csi.aws.com/cluster": "true"}
    }


def test_add_ons_have_the_version_that_was_asked_for(make: Make, properties: Properties) -> None:
    make(addon_versions={"coredns": "v1.12.4-eksbuild.1", "metrics-server": "v0.8.0-eksbuild.2"})

    assert properties("MainCorednsAddon")["AddonVersion"] == "v1.12.4-eksbuild.1"
    assert properties("MainMetricsServerAddon")["AddonVersion"] == "v0.8.0-eksbuild.2"
    assert "AddonVersion" not in properties("MainVpcCniAddon")


def test_a_caller_reaches_the_api(make: Make) -> None:
    cluster = make()
    binding = cluster.for_calling()

    assert binding.ports == (443,)
    assert encode(binding.security_group) == PLANE
    assert encode(cluster.endpoint) == {"Fn::GetAtt": ["MainKubernetesCluster", "Endpoint"]}
    assert binding.environment == {"CLUSTER_NAME": "shop-test-main"}
    assert binding.grants[0].actions == ("eks:DescribeCluster",)


def test_watches_what_eks_measures_itself(make: Make) -> None:
    cluster = make()
    watches = cluster.watches()

    assert {watch.metric for watch in watches} == {
        "scheduler_pending_pods_UNSCHEDULABLE",
        "apiserver_request_total_5XX",
    }
    assert all(watch.dimensions == {"ClusterName": "shop-test-main"} for watch in watches)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"version": "1.33"}, "version must be 1.34 or newer, as '1.35', got '1.33'"),
        ({"version": "latest"}, "version must be 1.34 or newer"),
        ({"nodes": {}}, "nodes must be one group or more, unless fargate has 'kube-system', got {}"),
        ({"fargate": ["reports"]}, "nodes must be one group or more"),
        ({"fargate": ["kube-system", "Reports"]}, "fargate must be names of namespaces, got 'Reports'"),
        ({"fargate": ["kube-system", *"abcde"]}, "fargate must be 0 to 5, got 6"),
        ({"public_cidrs": ["0.0.0.0/0"]}, "public_cidrs must be IPv4 blocks of /8 or smaller"),
        ({"public_cidrs": ["128.0.0.0/1"]}, "public_cidrs must be IPv4 blocks of /8 or smaller"),
        ({"public_cidrs": ["198.51.100.1/24"]}, "without host bits, got '198.51.100.1/24'"),
        ({"admins": {}}, "admins must be one or more, got nothing; name a role of yours"),
        ({"admins": {"me": "arn:aws:iam::123456789012:user/me"}}, "admins.me must be name or ARN of an IAM role"),
        ({"fargate": ["kube-system"], "volumes": True}, "volumes must be left out without nodes, got true"),
        ({"nodes": {"a": NodeGroup(minimum=5)}}, "nodes.a.minimum must be 0 to 4, got 5"),
        ({"nodes": {"A B": NodeGroup()}}, "node group 'A B': name must be kebab-case"),
        ({"addon_versions": {"Core DNS": "v1"}}, "add-on 'Core DNS': name must be kebab-case"),
        ({"log_retention_days": 8}, "retention_days must be one of"),
    ],
)
def test_refuses(make: Make, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(problem)):
        make(**settings)


def test_needs_a_way_to_aws(app: App, make: Make) -> None:
    with pytest.raises(SettingsError, match="network must be one with endpoints of autoscaling, ec2"):
        make(network=Vpc(Stack(app, "network"), "main"))


def test_needs_two_zones(make: Make) -> None:
    network = Vpc.lookup(
        vpc_id="vpc-0123456789abcdef0",
        private_subnets=["subnet-0123456789abcdef0"],
        endpoints_group="sg-0123456789abcdef0",
    )

    with pytest.raises(SettingsError, match="network must be one with private subnets in two zones or more, got 1"):
        make(network=network)


def test_the_name_fits_into_aws() -> None:
    stack = Stack(App("a" * 30, "b" * 20), "main")

    with pytest.raises(SettingsError, match="name must be at most 100 characters"):
        KubernetesCluster(stack, "c" * 49, network=Vpc(stack, "main", endpoints=NEEDS_ENDPOINTS), admins=ADMINS)
