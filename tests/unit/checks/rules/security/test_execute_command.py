import pytest

from archlib.checks.rules.security.execute_command import ExecuteCommand


def service(*, value=True, cluster=None):
    return {
        "S": {
            "Type": "AWS::ECS::Service",
            "Properties": {"Cluster": cluster or {"Ref": "C"}, "EnableExecuteCommand": value},
        }
    }


def cluster(configuration):
    properties = {} if configuration is None else {"Configuration": configuration}
    return {"C": {"Type": "AWS::ECS::Cluster", "Properties": properties}}


def exec_with(**settings):
    return {"ExecuteCommandConfiguration": settings}


LOGS = {"CloudWatchLogGroupName": "x"}


@pytest.mark.parametrize(
    "configuration",
    [
        None,
        {},
        exec_with(),
        exec_with(KmsKeyId="k"),
        exec_with(LogConfiguration=LOGS),
        exec_with(KmsKeyId="k", LogConfiguration=LOGS, Logging="NONE"),
    ],
)
def test_sessions_without_trace_are_found(places, configuration):
    found = places(ExecuteCommand, service() | cluster(configuration))
    assert found == ["S/Properties/EnableExecuteCommand"]


RECORDED = exec_with(KmsKeyId="k", LogConfiguration=LOGS, Logging="OVERRIDE")


@pytest.mark.parametrize(
    "configuration",
    [RECORDED, {"Fn::If": ["C", {}, RECORDED]}, {"ExecuteCommandConfiguration": "broken"}],
)
def test_recorded_sessions_and_what_is_unknown_are_fine(places, configuration):
    assert places(ExecuteCommand, service() | cluster(configuration)) == []


@pytest.mark.parametrize("value", [False, "false", {"Ref": "P"}])
def test_switched_off_is_fine(places, value):
    assert places(ExecuteCommand, service(value=value) | cluster(None)) == []


def test_a_cluster_elsewhere_is_unknown(places):
    assert places(ExecuteCommand, service(cluster={"Ref": "ClusterParameter"}) | cluster(None)) == []
