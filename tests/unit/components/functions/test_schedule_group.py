from archlib import Stack
from archlib.components.functions.schedule_group import ScheduleGroup
from archlib.core.values import encode


def test_counts_the_failures_of_its_schedules(stack: Stack) -> None:
    group = ScheduleGroup(stack, "nights")

    (made,) = stack.app.assemble()

    assert made.template["Resources"]["NightsScheduleGroup"]["Type"] == "AWS::Scheduler::ScheduleGroup"
    assert [watch.metric for watch in group.watches()] == ["TargetErrorCount", "InvocationDroppedCount"]
    assert encode(group.watches()[0].dimensions) == {"ScheduleGroup": {"Ref": "NightsScheduleGroup"}}
