from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archlib import Stack
from archlib.components.data.search import Search
from archlib.components.network.vpc import Vpc

Rendered = Callable[[], dict[str, Any]]
NETWORK = Vpc.lookup(
    vpc_id="vpc-01234567",
    private_subnets=["subnet-01234567"],
    isolated_subnets=["subnet-11111111", "subnet-22222222", "subnet-33333333"],
)
GROUPS = {
    "AUDIT_LOGS": "CatalogueSearchDomainAuditLogGroup",
    "ES_APPLICATION_LOGS": "CatalogueSearchDomainApplicationLogGroup",
    "INDEX_SLOW_LOGS": "CatalogueSearchDomainIndexSlowLogGroup",
    "SEARCH_SLOW_LOGS": "CatalogueSearchDomainSearchSlowLogGroup",
}


@pytest.mark.parametrize(("kind", "group"), GROUPS.items())
def test_publishes_every_log_to_a_group_of_its_own(stack: Stack, rendered: Rendered, kind: str, group: str) -> None:
    Search(stack, "catalogue", network=NETWORK, log_retention_days=90)

    found = rendered()

    published = found["CatalogueSearchDomain"]["Properties"]["LogPublishingOptions"]
    assert sorted(published) == sorted(GROUPS)
    assert published[kind] == {"CloudWatchLogsLogGroupArn": {"Fn::GetAtt": [group, "Arn"]}, "Enabled": True}
    assert found[group]["Properties"]["RetentionInDays"] == 90
    assert "KmsKeyId" in found[group]["Properties"]


def test_only_the_domain_itself_may_write_there(stack: Stack, rendered: Rendered) -> None:
    Search(stack, "catalogue", network=NETWORK)

    found = rendered()
    policy = found["CatalogueSearchDomainLogsPolicy"]["Properties"]
    (statement,) = policy["PolicyDocument"]["Statement"]

    assert found["CatalogueSearchDomain"]["DependsOn"] == "CatalogueSearchDomainLogsPolicy"
    assert policy["PolicyName"] == "shop-test-catalogue-logs"
    assert statement["Principal"] == {"Service": "es.amazonaws.com"}
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert sorted(node["Fn::GetAtt"][0] for node in statement["Resource"]) == sorted(GROUPS.values())
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnLike": {
            "aws:SourceArn": {
                "Fn::Sub": "arn:${AWS::Partition}:es:${AWS::Region}:${AWS::AccountId}:domain/shop-test-catalogue"
            }
        },
    }
