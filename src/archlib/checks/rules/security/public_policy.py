"""E9206: no resource policy lets everyone in."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources
from archlib.checks.rules.security._policies import allowed, is_narrowed, to_everyone

_POLICIES = {
    "AWS::Backup::BackupVault": "AccessPolicy",
    "AWS::ECR::Repository": "RepositoryPolicyText",
    "AWS::EFS::FileSystem": "FileSystemPolicy",
    "AWS::KMS::Key": "KeyPolicy",
    "AWS::OpenSearchService::Domain": "AccessPolicies",
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::SecretsManager::ResourcePolicy": "ResourcePolicy",
    "AWS::SNS::TopicInlinePolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::SQS::QueueInlinePolicy": "PolicyDocument",
    "AWS::SQS::QueuePolicy": "PolicyDocument",
}


class PublicPolicy(Rule):
    """The policy of a bucket, queue, topic, key ... allows an action to everyone."""

    id = "E9206"
    shortdesc = "No resource policy allows everyone without a condition"
    description = "Name the principals, or add a condition such as aws:SourceArn; serve public files by CloudFront."
    source_url = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html"

    def find(self, cfn: Template) -> Found:
        """Yield each statement that lets everyone in."""
        for resource in resources(cfn, *_POLICIES).values():
            for path, document in resource.find(_POLICIES[resource.type]):
                for at, statement in allowed(document, path):
                    if to_everyone(statement) and not is_narrowed(statement):
                        message = (
                            f"{resource.name} allows this to everyone, also outside AWS; "
                            "name the principals or add a condition"
                        )
                        yield at, message
