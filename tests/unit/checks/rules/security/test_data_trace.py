import pytest

from archlib.checks.rules.security.data_trace import DataTrace


@pytest.mark.parametrize(
    ("kind", "properties", "place"),
    [
        ("AWS::ApiGateway::Stage", {"MethodSettings": [{}, {"DataTraceEnabled": True}]},
         "MethodSettings/1/DataTraceEnabled"),
        ("AWS::ApiGateway::Deployment", {"StageDescription": {"DataTraceEnabled": "true"}},
         "StageDescription/DataTraceEnabled"),
        ("AWS::ApiGatewayV2::Stage", {"DefaultRouteSettings": {"DataTraceEnabled": True}},
         "DefaultRouteSettings/DataTraceEnabled"),
    ],
)  # fmt: skip
def test_logged_bodies_are_found(places, kind, properties, place):
    assert places(DataTrace, {"S": {"Type": kind, "Properties": properties}}) == [f"S/Properties/{place}"]


@pytest.mark.parametrize("value", [False, "false", {"Ref": "P"}, None, []])
def test_others_are_fine(places, value):
    stage = {"Type": "AWS::ApiGateway::Stage", "Properties": {"MethodSettings": [{"DataTraceEnabled": value}]}}
    assert places(DataTrace, {"S": stage}) == []
