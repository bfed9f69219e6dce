"""E9120: ARNs of managed policies are such, and well-known AWS policies are where AWS has them."""

from __future__ import annotations

import re

from cfnlint.template import Template

from archlib.checks.rules.deploy._read import resources
from archlib.checks.rules.deploy._rule import Found, Rule

_ARN = re.compile(r"arn:aws(-[a-z]+)*:iam::(aws|\d{12}):policy/((?:[\x21-\x2E\x30-\x7E]+/)*)([\w+=,.@-]{1,128})")
# AWS policies by path; the list is not complete, and what is not on it is not judged
_PATHS = {
    "service-role/": {
        "AWSAppSyncPushToCloudWatchLogs", "AWSBackupServiceRolePolicyForBackup",
        "AWSBackupServiceRolePolicyForRestores", "AWSBatchServiceRole", "AWSCodeDeployRole",
        "AWSCodeDeployRoleForLambda", "AWSElasticBeanstalkEnhancedHealth", "AWSGlueServiceRole",
        "AWSLambdaBasicExecutionRole", "AWSLambdaDynamoDBExecutionRole", "AWSLambdaENIManagementAccess",
        "AWSLambdaKinesisExecutionRole", "AWSLambdaMSKExecutionRole", "AWSLambdaRole",
        "AWSLambdaSQSQueueExecutionRole", "AWSLambdaVPCAccessExecutionRole", "AWS_ConfigRole",
        "AmazonAPIGatewayPushToCloudWatchLogs", "AmazonDMSCloudWatchLogsRole", "AmazonDMSVPCManagementRole",
        "AmazonEBSCSIDriverPolicy", "AmazonEC2ContainerServiceforEC2Role", "AmazonECSTaskExecutionRolePolicy",
        "AmazonRDSEnhancedMonitoringRole", "AmazonSSMAutomationRole",
    },
    "": {
        "AWSXRayDaemonWriteAccess", "AdministratorAccess", "AmazonEC2ContainerRegistryReadOnly",
        "AmazonEKSClusterPolicy", "AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonS3FullAccess",
        "AmazonS3ReadOnlyAccess", "AmazonSSMManagedInstanceCore", "CloudWatchAgentServerPolicy",
        "CloudWatchLambdaInsightsExecutionRolePolicy", "PowerUserAccess", "ReadOnlyAccess", "SecurityAudit",
    },
    "job-function/": {"ViewOnlyAccess"},
}  # fmt: skip
_HOME = {name: path for path, names in _PATHS.items() for name in names}
_RETIRED = {
    "AWSLambdaFullAccess": "AWSLambda_FullAccess",
    "AWSLambdaReadOnlyAccess": "AWSLambda_ReadOnlyAccess",
}


class ManagedPolicy(Rule):
    """A managed policy cannot exist under the ARN given."""

    id = "E9120"
    shortdesc = "Managed policies are named by an ARN they can have"
    description = (
        "Copy the ARN from the AWS managed policy reference; many policies for services are under service-role/."
    )
    source_url = "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html"

    def find(self, cfn: Template) -> Found:
        """Yield each ARN that cannot be right."""
        for holder in resources(cfn, "AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group").values():
            for path, value in (*holder.find("ManagedPolicyArns", "*"), *holder.find("PermissionsBoundary")):
                problem = _problem(value) if isinstance(value, str) and not value.startswith("{{resolve:") else ""
                if problem:
                    yield path, problem


def _problem(arn: str) -> str:
    """Return what is wrong, or nothing."""
    parts = _ARN.fullmatch(arn)
    if not parts:
        return f"{arn} is not the ARN of a managed policy; use for example arn:aws:iam::aws:policy/ReadOnlyAccess"
    _, owner, path, name = parts.groups()
    if owner != "aws":
        return ""
    right = _RETIRED.get(name) or (_HOME.get(name, path) + name)
    return f"AWS has no policy {path}{name}; use {right}" if right != path + name else ""
