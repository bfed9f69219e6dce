from __future__ import annotations

import json

from archlib import Stack
from archlib.components.compute.agent import Agent
from archlib.components.compute.instances import Instances
from archlib.components.network.vpc import Vpc
from unit.components.compute.conftest import Rendered, script


def test_the_agent_sends_memory_disk_and_logs(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc, agent=Agent(["/var/log/app.log"], retention_days=30))

    found = rendered()
    text = script(found)
    assert "dnf install -y amazon-cloudwatch-agent\n" in text
    start = text.index("{", text.index("amazon-cloudwatch-agent/etc/shop.json <<'END'"))
    sent = json.loads(text[start : text.index("\nEND", start)])
    assert sent["logs"]["logs_collected"]["files"]["collect_list"] == [
        {
            "file_path": "/var/log/app.log",
            "log_group_name": "${AppInstancesLogGroup}",
            "log_stream_name": "{instance_id}/app.log",
        }
    ]
    collected = sent["metrics"]["metrics_collected"]
    assert set(collected) == {"mem", "disk"}
    assert collected["mem"]["append_dimensions"] == {"Group": "shop-test-app"}
    assert sent["agent"]["omit_hostname"] is True
    assert found["AppInstancesLogGroup"]["Properties"]["RetentionInDays"] == 30
    assert "KmsKeyId" in found["AppInstancesLogGroup"]["Properties"]


def test_the_agent_may_write_only_there(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc, agent=Agent())

    statements = rendered()["AppInstancesPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert {
        "Effect": "Allow",
        "Action": ["cloudwatch:PutMetricData"],
        "Resource": ["*"],
        "Condition": {"StringEquals": {"cloudwatch:namespace": "CWAgent"}},
    } in statements
    assert {
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": [{"Fn::GetAtt": ["AppInstancesLogGroup", "Arn"]}],
    } in statements
