import pytest

from archlib.checks.rules.security.flow_log import FlowLog


def log(kind):
    return {"L": {"Type": "AWS::EC2::FlowLog", "Properties": {"TrafficType": kind}}}


def test_refused_traffic_only_is_found(places):
    assert places(FlowLog, log("REJECT")) == ["L/Properties/TrafficType"]


@pytest.mark.parametrize("kind", ["ALL", "ACCEPT", {"Ref": "P"}, None])
def test_others_are_fine(places, kind):
    assert places(FlowLog, log(kind)) == []
