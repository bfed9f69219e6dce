"""E9120: well-known policies of AWS are where AWS has them."""

from __future__ import annotations

import re

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import literal, resources

_ARN = re.compile(r"arn:[^:]*:iam::aws:policy/((?:[\w-]+/)*)([^/]+)")
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
    """A managed policy of AWS does not exist under the ARN given."""

    id = "E9120"
    shortdesc = "AWS managed policies are named by the ARN they have"
    description = (
        "Copy the ARN from the AWS managed policy reference; many policies for services are under service-role/."
    )
    source_url = "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html"

    def find(self, cfn: Template) -> Found:
        """Yield each ARN of a policy that AWS has elsewhere, or no longer."""
        for holder in resources(cfn, "AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group").values():
            for path, value in (*holder.find("ManagedPolicyArns", "*"), *holder.find("PermissionsBoundary")):
                arn = _ARN.fullmatch(literal(value, unknown="?") or "")
                if arn:
                    given = arn[1] + arn[2]
                    right = _RETIRED.get(arn[2]) or _HOME.get(arn[2], arn[1]) + arn[2]
                    if right != given:
                        yield path, f"AWS has no managed policy {given}; use {right}"
