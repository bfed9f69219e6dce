import pytest

from archlib.checks.rules.security.http_subscription import HttpSubscription


def test_both_ways_to_subscribe_are_read(places):
    resources = {
        "S": {"Type": "AWS::SNS::Subscription", "Properties": {"Protocol": "http", "Endpoint": "http://x"}},
        "T": {"Type": "AWS::SNS::Topic", "Properties": {"Subscription": [{"Protocol": "sqs"}, {"Protocol": "http"}]}},
    }
    assert places(HttpSubscription, resources) == ["S/Properties/Protocol", "T/Properties/Subscription/1/Protocol"]


@pytest.mark.parametrize("protocol", ["https", "sqs", {"Ref": "P"}, None])
def test_others_are_fine(places, protocol):
    subscription = {"Type": "AWS::SNS::Subscription", "Properties": {"Protocol": protocol}}
    assert places(HttpSubscription, {"S": subscription}) == []
