from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from troposphere.cloudformation import WaitConditionHandle

from archlib import App, Stack
from archlib.components.compute.agent import Agent
from archlib.components.compute.group import WarmPool
from archlib.components.compute.instances import Instances
from archlib.components.network.vpc import Vpc
from archlib.core.values import encode
from archlib.errors import SettingsError, WiringError
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.mount import FileSystemMount
from archlib.wiring.roles import Backend
from archlib.wiring.scaling import Scaling
from unit.components.compute.conftest import Rendered, script, target_group


def rights(found: dict[str, Any]) -> dict[str, Any]:
    """Return action -> resource of the role's statements."""
    return {
        action: statement["Resource"]
        for statement in found["AppInstancesPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }


def ports(found: dict[str, Any]) -> dict[str, int]:
    rules = ("AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress")
    return {name: rule["Properties"]["FromPort"] for name, rule in found.items() if rule["Type"] in rules}


def test_runs_in_private_subnets_and_opens_no_port(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc)

    found = rendered()
    subnets = found["AppInstances"]["Properties"]["VPCZoneIdentifier"]
    assert subnets == [{"Ref": "MainPrivateSubnet1"}, {"Ref": "MainPrivateSubnet2"}]
    own = {"Fn::GetAtt": ["AppInstancesSecurityGroup", "GroupId"]}
    into = [
        name
        for name, rule in found.items()
        if rule["Type"] == "AWS::EC2::SecurityGroupIngress" and rule["Properties"]["GroupId"] == own
    ]
    assert into == []
    assert "SecurityGroupIngress" not in found["AppInstancesSecurityGroup"]["Properties"]
    assert set(ports(found).values()) == {443}


def test_reaches_endpoints_and_s3_only(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc)

    found = rendered()
    out = {name: rule["Properties"] for name, rule in found.items() if rule["Type"] == "AWS::EC2::SecurityGroupEgress"}
    assert set(out) == {"AppToMainEndpoints443Egress", "AppToMainS3443S3Egress"}
    assert out["AppToMainS3443S3Egress"]["DestinationPrefixListId"] == {"Ref": "S3PrefixList"}


def test_opens_the_way_to_s3_once(app: App, stack: Stack, rendered: Rendered) -> None:
    vpc = Vpc(
        Stack(app, "network"), "main", endpoints=Instances.needs_endpoints, prefix_lists={"s3": "pl-0123456789abcdef0"}
    )
    Instances(stack, "app", network=vpc)

    lists = [rule["Properties"].get("DestinationPrefixListId") for rule in rendered().values() if "Properties" in rule]
    assert lists.count("pl-0123456789abcdef0") == 1


def test_the_internet_is_reached_when_asked(app: App, stack: Stack, rendered: Rendered) -> None:
    Instances(stack, "app", network=Vpc(Stack(app, "network"), "main", nat="one"), internet=True)

    out = rendered()["AppToMainInternet443AnywhereEgress"]["Properties"]
    assert (out["CidrIp"], out["FromPort"], out["ToPort"]) == ("0.0.0.0/0", 443, 443)


def test_needs_a_way_to_cloudformation(app: App, stack: Stack) -> None:
    with pytest.raises(SettingsError) as caught:
        Instances(stack, "app", network=Vpc(Stack(app, "network"), "main"))

    assert "instances 'app': internet must be true in a network without interface endpoints, got false" in str(
        caught.value
    )
    assert "endpoints for cloudformation, ec2messages, ssm, ssmmessages" in str(caught.value)


def test_sessions_take_no_port_and_least_rights(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc)
    Instances(stack, "other", network=vpc, sessions=False)

    found = rendered()
    assert "ssmmessages:OpenDataChannel" in rights(found)
    assert not [action for action in rights(found) if action.startswith(("s3:", "ssm:Get", "ssm:Put"))]
    assert "OtherInstancesPolicy" not in found
    assert not [name for name in found["OtherInstances"]["DependsOn"] if "Egress" not in name and "Ingress" not in name]
    assert "ManagedPolicyArns" not in found["AppInstancesRole"]["Properties"]


def test_the_role_is_assumed_by_ec2(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc)

    found = rendered()
    statement = found["AppInstancesRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]
    assert statement["Principal"] == {"Service": "ec2.amazonaws.com"}
    # EC2 is not known to say for whom it assumes a role.
    assert "StringEqualsIfExists" in statement["Condition"]
    assert found["AppInstancesProfile"]["Properties"]["Roles"] == [{"Ref": "AppInstancesRole"}]


def test_waits_until_the_script_has_run(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc)

    found = rendered()
    # Its rights, and the ways to what it reaches.
    assert found["AppInstances"]["DependsOn"] == [
        "AppInstancesPolicy",
        "AppToMainEndpoints443Egress",
        "AppToMainEndpoints443Ingress",
        "AppToMainS3443S3Egress",
    ]
    text = script(found)
    assert 'trap \'/opt/aws/bin/cfn-signal --exit-code "$?" --resource AppInstances' in text
    assert text.index("trap ") < text.index("until curl") < text.index("mkdir -p /etc/shop")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("A-B", "v", "environment.A-B must be named by letters, digits and _, got 'A-B'"),
        ("A", "it's", "environment.A must be one line without ', got \"it's\""),
        ("A", "one\ntwo", "environment.A must be one line"),
        ("A", "{{resolve:secretsmanager:a}}", "environment.A must be no secret"),
    ],
)
def test_refuses_environment_that_cannot_be_read(stack: Stack, vpc: Vpc, key: str, value: str, message: str) -> None:
    made = Instances(stack, "app", network=vpc)

    with pytest.raises(SettingsError) as caught:
        made.set_environment(key, value)

    assert message in str(caught.value)


def test_one_variable_has_one_value(stack: Stack, vpc: Vpc) -> None:
    made = Instances(stack, "app", network=vpc, environment={"A": "1"})

    with pytest.raises(WiringError, match="'A' must have one value, got two"):
        made.set_environment("A", "2")


def test_connects_like_every_caller(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    made = Instances(stack, "app", network=vpc)
    made.connect(
        Binding(
            "orders", "reading orders", (Grant(("dynamodb:GetItem",), ("arn:aws:dynamodb:::table/o",)),),
            {"TABLE": "o"}, ports=(5432,), security_group="sg-1",
        )
    )  # fmt: skip

    found = rendered()
    assert rights(found)["dynamodb:GetItem"] == ["arn:aws:dynamodb:::table/o"]
    assert "ORDERS_TABLE='o'" in script(found)
    assert ports(found)["AppToOrders5432Ingress"] == ports(found)["AppToOrders5432Egress"] == 5432


def test_code_is_uploaded_read_and_unpacked(app: App, stack: Stack, vpc: Vpc, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("print(1)\n")
    Instances(stack, "app", network=vpc, code=tmp_path)

    artifact = next(each for each in app.assemble() if each.name == "shop-test-main")
    (asset,) = artifact.assets
    assert asset.path == str(tmp_path)
    found = artifact.template["Resources"]
    assert f'aws s3 cp --no-progress "s3://${{AssetBucket}}/{asset.key}"' in script(found)
    assert "unzip -oq /tmp/code.zip -d /opt/shop" in script(found)
    assert rights(found)["s3:GetObject"] == [{"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::${{AssetBucket}}/{asset.key}"}]


def test_a_load_balancer_decides_who_is_well(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    made = Instances(stack, "app", network=vpc, port=8000)
    Instances(stack, "other", network=vpc)
    made.join(target_group("arn:one"))
    made.join(target_group("arn:two", ready="AppInsideRule"))

    assert isinstance(made, Backend)
    assert (made.target_type, made.port, made.network, made.moves) == ("instance", 8000, vpc, False)
    assert encode(made.security_group) == {"Fn::GetAtt": ["AppInstancesSecurityGroup", "GroupId"]}
    stack.add(_anything("AppPublicRule"))
    stack.add(_anything("AppInsideRule"))
    found = rendered()
    assert found["AppInstances"]["Properties"]["TargetGroupARNs"] == ["arn:one", "arn:two"]
    assert found["AppInstances"]["Properties"]["HealthCheckType"] == "ELB"
    assert {"AppInsideRule", "AppInstancesPolicy", "AppPublicRule"} <= set(found["AppInstances"]["DependsOn"])
    assert found["OtherInstances"]["Properties"]["HealthCheckType"] == "EC2"


def _anything(title: str) -> Any:
    return WaitConditionHandle(title)


def test_watches_what_is_missing_and_busy(stack: Stack, vpc: Vpc) -> None:
    plain = Instances(stack, "app", network=vpc, scaling=Scaling(minimum=0))
    measured = Instances(stack, "other", network=vpc, agent=Agent(), scaling=Scaling(minimum=3))

    assert [watch.name for watch in plain.watches()] == ["in-service", "status", "cpu"]
    assert [watch.name for watch in measured.watches()] == ["in-service", "status", "cpu", "memory", "disk"]
    assert (plain.watches()[0].threshold, measured.watches()[0].threshold) == (1, 3)
    assert encode(plain.watches()[2].dimensions) == {"AutoScalingGroupName": {"Ref": "AppInstances"}}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"architecture": "riscv"}, "architecture must be one of arm64, x86_64"),
        ({"types": ["t3.mciro"]}, "got 't3.mciro'; did you mean 't3.micro'?"),
        ({"types": ["t3.micro"]}, "types must be for arm64, got 't3.micro'; set architecture to x86_64"),
        ({"types": ["t4g.small"] * 41}, "types must be 1 to 40, got 41"),
        ({"image": "ami-0123456789abcdef0"}, "image must be the name of an SSM parameter"),
        (
            {"architecture": "x86_64", "image": "/images/app-arm64"},
            "image must be for x86_64, got '/images/app-arm64'; set architecture to arm64",
        ),
        ({"code": Path("missing")}, "code must exist, got 'missing'"),
        ({"port": 0}, "port must be 1 to 65535"),
        ({"spot": 101}, "spot must be 0 to 100"),
        ({"on_demand": 11}, "on_demand must be 0 to 10"),
        ({"update": "none"}, "update must be one of rolling, refresh"),
        ({"warm_pool": WarmPool(), "spot": 1}, "warm_pool must be left out with spot or several types"),
        ({"warm_pool": WarmPool(-1)}, "warm_pool.minimum must be 0 or more, got -1"),
        ({"warm_pool": WarmPool(state="Hibernated")}, "warm_pool.state must be one of Stopped, Running"),  # type: ignore[arg-type]
        ({"max_lifetime_days": 0}, "max_lifetime_days must be 1 to 365"),
        ({"volume_gib": 4}, "volume_gib must be 8 to 16384"),
        ({"file_systems": [FileSystemMount("a", "b", "/data")]}, "file_system.path must be /mnt/ and a name"),
        ({"agent": Agent(["app.log"])}, "agent.logs must be whole paths"),
        ({"agent": Agent(retention_days=2)}, "agent.retention_days must be one of"),
        ({"scaling": Scaling(memory=50)}, "agent must be given to scale by memory"),
        ({"scaling": Scaling(minimum=5, maximum=1)}, "scaling.maximum must be 5 or more"),
    ],
)
def test_refuses_what_cannot_work(stack: Stack, vpc: Vpc, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Instances(stack, "app", network=vpc, **settings)

    assert message in str(caught.value)
    assert all(str(problem.message).startswith("instances 'app': ") for problem in caught.value.problems)
