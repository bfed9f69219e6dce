from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from archlib import App, load
from archlib.blueprints.serverless import Serverless, ServerlessSettings
from archlib.components.apis.http_api import HttpApi
from archlib.components.apis.rest_api import RestApi
from archlib.components.data.database import Database
from archlib.components.data.table import Table
from archlib.components.edge.firewall import Firewall
from archlib.components.functions.function import Function
from archlib.components.functions.schedule import Schedule
from archlib.components.functions.state_machine import StateMachine
from archlib.components.identity.parameter import Parameter
from archlib.components.identity.secret import Secret
from archlib.components.identity.user_pool import UserPool
from archlib.components.messaging.bus import Bus
from archlib.components.messaging.delivery import Delivery
from archlib.components.messaging.queue import Queue
from archlib.components.messaging.rule import Rule
from archlib.components.messaging.stream import Stream
from archlib.components.messaging.topic import Topic
from archlib.components.network.vpc import Vpc
from archlib.components.observability.dashboard import Dashboard
from archlib.components.storage.bucket import Bucket
from archlib.core.artifact import StackArtifact
from archlib.errors import SettingsError, WiringError

CODE = {"inline": "def handler(event, context):\n    return event\n"}
WORK: dict[str, Any] = {"work": {"code": CODE}}
MOUNT = {
    "access_point_arn": "arn:aws:elasticfilesystem:us-east-1:111122223333:access-point/fsap-0123456789abcdef0",
    "file_system_arn": "arn:aws:elasticfilesystem:us-east-1:111122223333:file-system/fs-0123456789abcdef0",
}
MACHINE = {"definition": {"StartAt": "Wait", "States": {"Wait": {"Type": "Succeed"}}}}
QUIET = {"monitoring": {"alarms": False, "dashboard": False}}


def make(**settings: Any) -> Serverless:
    # One template, so that references read as they were written.
    app = App("shop", "test", layout="single")
    return Serverless(app, ServerlessSettings.model_validate({**QUIET, **settings}))


def template(made: Serverless) -> dict[str, Any]:
    (stack,) = made.app.assemble()
    return stack.template


def resources(made: Serverless) -> dict[str, Any]:
    found: dict[str, Any] = template(made)["Resources"]
    return found


def properties(made: Serverless, title: str) -> dict[str, Any]:
    found: dict[str, Any] = resources(made)[title].get("Properties", {})
    return found


def of_type(made: Serverless, kind: str) -> dict[str, dict[str, Any]]:
    return {name: node["Properties"] for name, node in resources(made).items() if node["Type"] == kind}


def allowed(made: Serverless, policy: str) -> dict[str, list[Any]]:
    """Return the actions that ``policy`` allows, each with its resources."""
    found: dict[str, list[Any]] = {}
    for statement in properties(made, policy)["PolicyDocument"]["Statement"]:
        for action in statement["Action"]:
            found.setdefault(action, []).extend(statement["Resource"])
    return found


def layered(**settings: Any) -> dict[str, StackArtifact]:
    app = App("shop", "test")
    Serverless(app, ServerlessSettings.model_validate({**QUIET, **settings}))
    return {stack.name.removeprefix("shop-test-"): stack for stack in app.assemble()}


def arn(title: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [title, "Arn"]}


def ref(title: str) -> dict[str, Any]:
    return {"Ref": title}


# parts


EVERYTHING: dict[str, Any] = {
    "functions": WORK,
    "rest_apis": {"store": {"routes": {"GET /": "work"}}},
    "http_apis": {"public": {"routes": {"GET /": "work"}}},
    "user_pools": {"people": {}},
    "firewalls": {"edge": {}},
    "tables": {"orders": {"partition_key": "id"}},
    "buckets": {"files": {}},
    "databases": {"ledger": {}},
    "queues": {"jobs": {}},
    "topics": {"news": {}},
    "buses": {"events": {}},
    "rules": {"placed": {"bus": "events", "pattern": {"source": ["shop"]}, "targets": ["work"]}},
    "streams": {"clicks": {}},
    "deliveries": {"lake": {"bucket": "files"}},
    "state_machines": {"fulfil": MACHINE},
    "schedules": {"nightly": {"expression": "rate(1 day)", "target": "work"}},
    "secrets": {"token": {}},
    "parameters": {"theme": {"value": "dark"}},
}


@pytest.mark.parametrize(
    ("kind", "name", "component", "stack"),
    [
        ("functions", "work", Function, "app"),
        ("rest_apis", "store", RestApi, "app"),
        ("http_apis", "public", HttpApi, "app"),
        ("user_pools", "people", UserPool, "data"),
        ("firewalls", "edge", Firewall, "app"),
        ("tables", "orders", Table, "data"),
        ("buckets", "files", Bucket, "data"),
        ("databases", "ledger", Database, "data"),
        ("queues", "jobs", Queue, "data"),
        ("topics", "news", Topic, "data"),
        ("buses", "events", Bus, "data"),
        ("rules", "placed", Rule, "app"),
        ("streams", "clicks", Stream, "data"),
        ("deliveries", "lake", Delivery, "data"),
        ("state_machines", "fulfil", StateMachine, "app"),
        ("schedules", "nightly", Schedule, "app"),
        ("secrets", "token", Secret, "data"),
        ("parameters", "theme", Parameter, "data"),
    ],
)
def test_the_parts_are_attributes_placed_by_lifecycle(kind: str, name: str, component: Any, stack: str) -> None:
    made = make(**EVERYTHING)

    part = getattr(made, kind)[name]
    assert type(part) is component
    assert (part.name, part.stack.name) == (name, stack)
    assert list(getattr(made, kind)) == [name]


def test_everything_together_assembles_in_both_layouts() -> None:
    stacks = layered(**EVERYTHING)

    assert list(stacks) == ["foundation", "network", "data", "app"]
    assert {name for stack in stacks.values() for name in stack.template["Resources"]} == set(
        resources(make(**EVERYTHING))
    )


def test_the_parts_and_stacks_can_be_extended() -> None:
    made = make(functions=WORK, queues={"jobs": {}})
    more = Table(made.data, "more", partition_key="id")
    made.functions["work"].connect(more.for_reading(), made.queues["jobs"].for_sending())
    Queue(made.code, "own")

    rights = allowed(made, "WorkFunctionPolicy")
    assert rights["dynamodb:GetItem"] == [arn("MoreTable")]
    assert rights["sqs:SendMessage"] == [arn("JobsQueue")]
    assert "OwnQueue" in resources(made)


def test_nothing_is_made_that_was_not_asked_for() -> None:
    made = make(queues={"jobs": {}})

    assert set(of_type(made, "AWS::SQS::Queue")) == {"JobsQueue", "JobsDeadLetterQueue"}
    assert {node["Type"] for node in resources(made).values()} <= {
        *("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::KMS::Key", "AWS::KMS::Alias"),
    }
    assert (made.network, made.tracing, made.dashboards, made.alarm_topic, made.alarms) == (None, None, [], None, [])


# names


def test_a_component_is_found_by_its_name_or_by_kind_and_name() -> None:
    made = make(tables={"orders": {"partition_key": "id"}}, buckets={"orders": {}, "files": {}})

    assert made.find("files", "tables", "buckets") == ("buckets", made.buckets["files"])
    assert made.find("tables/orders", "tables", "buckets") == ("tables", made.tables["orders"])
    assert made.find("buckets/orders", "tables", "buckets") == ("buckets", made.buckets["orders"])
    assert made.find("orders", "tables") == ("tables", made.tables["orders"])


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("orders", "'orders' must name one component, got 2; write 'tables/orders' or 'buckets/orders'"),
        ("order", "'order' is not among the tables, buckets; did you mean 'orders'?; add or correct it"),
        ("tables/files", "'tables/files' is not among the tables; there are orders; add or correct it"),
        ("queues/jobs", "'queues/jobs' must name one of the tables, buckets, got 'queues'; correct it"),
        ("table/orders", "'table/orders' must name one of the tables, buckets, got 'table'; did you mean 'tables'?"),
        ("", "'' is not among the tables, buckets; there are orders, orders, files; add or correct it"),
        ("a/b/c", "'a/b/c' must name one of the tables, buckets, got 'a/b'; correct it"),
    ],
)
def test_a_name_that_is_ambiguous_or_unknown_is_refused(reference: str, message: str) -> None:
    made = make(tables={"orders": {"partition_key": "id"}}, buckets={"orders": {}, "files": {}})

    with pytest.raises(WiringError) as caught:
        made.find(reference, "tables", "buckets")

    assert message in str(caught.value)


def test_all_mistakes_of_a_kind_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        make(
            functions={
                "work": {"code": CODE, "reads": ["x"], "sends_to": ["y"], "on_success": "z", "consumes": {"q": {}}}
            },
            rules={"placed": {"pattern": {"source": ["shop"]}, "targets": ["t"]}},
            http_apis={"public": {"routes": {"GET /": "f"}}},
        )

    assert [problem.message.split(" ")[0] for problem in caught.value.problems] == [
        "'t'",
        "'x'",
        "'y'",
        "'q'",
        "'z'",
        "'f'",
    ]


def test_a_mistake_in_python_has_the_line_of_python() -> None:
    with pytest.raises(SettingsError) as caught:
        make(queues={"jobs": {"visibility": "13h"}})

    (problem,) = caught.value.problems
    assert problem.origin is not None
    assert Path(problem.origin.file) == Path(__file__)
    assert "return Serverless(" in Path(__file__).read_text(encoding="utf-8").splitlines()[problem.origin.line - 1]


# verbs


THINGS: dict[str, dict[str, Any]] = {
    "tables": {"partition_key": "id"},
    "state_machines": MACHINE,
    "functions": {"code": CODE},
}


@pytest.mark.parametrize(
    ("verb", "kind", "action", "resource", "variable"),
    [
        ("reads", "tables", "dynamodb:Query", arn("ThingTable"), "THING_TABLE"),
        ("writes", "tables", "dynamodb:PutItem", arn("ThingTable"), "THING_TABLE"),
        ("reads", "buckets", "s3:GetObject", {"Fn::Sub": "${ThingBucket.Arn}/*"}, "THING_BUCKET"),
        ("writes", "buckets", "s3:PutObject", {"Fn::Sub": "${ThingBucket.Arn}/*"}, "THING_BUCKET"),
        ("reads", "secrets", "secretsmanager:GetSecretValue", ref("ThingSecret"), "THING_SECRET_ARN"),
        ("sends_to", "queues", "sqs:SendMessage", arn("ThingQueue"), "THING_QUEUE_URL"),
        ("sends_to", "topics", "sns:Publish", ref("ThingTopic"), "THING_TOPIC_ARN"),
        ("sends_to", "buses", "events:PutEvents", arn("ThingBus"), "THING_BUS_NAME"),
        ("sends_to", "streams", "kinesis:PutRecords", arn("ThingStream"), "THING_STREAM_NAME"),
        ("starts", "state_machines", "states:StartExecution", ref("ThingStateMachine"), "THING_STATE_MACHINE"),
        ("invokes", "functions", "lambda:InvokeFunction", arn("ThingFunction"), "THING_FUNCTION"),
    ],
)
def test_a_verb_gives_the_right_and_the_variable(
    verb: str, kind: str, action: str, resource: Any, variable: str
) -> None:
    given: dict[str, Any] = {kind: {"thing": THINGS.get(kind, {})}}
    made = make(**{**given, "functions": {**given.get("functions", {}), "work": {"code": CODE, verb: ["thing"]}}})

    assert resource in allowed(made, "WorkFunctionPolicy")[action]
    assert list(properties(made, "WorkFunction")["Environment"]["Variables"]) == [variable]


def test_reading_a_parameter_gives_its_name() -> None:
    made = make(parameters={"theme": {"value": "dark"}}, functions={"work": {"code": CODE, "reads": ["theme"]}})

    (action,) = [action for action in allowed(made, "WorkFunctionPolicy") if action == "ssm:GetParameter"]
    assert any("ThemeParameter" in json.dumps(resource) for resource in allowed(made, "WorkFunctionPolicy")[action])
    assert any(key.startswith("THEME_") for key in properties(made, "WorkFunction")["Environment"]["Variables"])


def test_sending_to_a_delivery_writes_records() -> None:
    made = make(
        buckets={"files": {}},
        deliveries={"lake": {"bucket": "files"}},
        functions={"work": {"code": CODE, "sends_to": ["lake"]}},
    )

    assert allowed(made, "WorkFunctionPolicy")["firehose:PutRecordBatch"] == [arn("LakeDelivery")]


def test_administering_a_search_domain_takes_on_its_master_role_through_an_endpoint() -> None:
    made = make(
        search_domains={"catalogue": {}},
        functions={"work": {"code": CODE, "in_network": True, "administers": ["catalogue"]}},
    )

    assert allowed(made, "WorkFunctionPolicy")["sts:AssumeRole"] == [arn("CatalogueSearchDomainRole")]
    assert set(properties(made, "WorkFunction")["Environment"]["Variables"]) == {
        "CATALOGUE_ENDPOINT",
        "CATALOGUE_MASTER_ROLE_ARN",
    }
    services = [each["ServiceName"] for each in of_type(made, "AWS::EC2::VPCEndpoint").values()]
    assert {"Fn::Sub": "com.amazonaws.${AWS::Region}.sts"} in services
    assert "WorkToCatalogue443Egress" in resources(made)


def test_writing_does_not_include_reading() -> None:
    made = make(tables={"orders": {"partition_key": "id"}}, functions={"work": {"code": CODE, "writes": ["orders"]}})

    rights = allowed(made, "WorkFunctionPolicy")
    assert not {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"} & rights.keys()


@pytest.mark.parametrize(
    ("verb", "kind"),
    [("writes", "queues"), ("sends_to", "tables"), ("reads", "queues"), ("starts", "functions"), ("invokes", "queues")],
)
def test_a_verb_that_does_not_fit_the_kind_is_refused(verb: str, kind: str) -> None:
    given: dict[str, Any] = {kind: {"thing": THINGS.get(kind, {})}}
    with pytest.raises(SettingsError, match="'thing' is not among the"):
        make(**{**given, "functions": {**given.get("functions", {}), "work": {"code": CODE, verb: ["thing"]}}})


def test_what_a_state_machine_uses_fills_its_placeholders() -> None:
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
    definition = {
        "StartAt": "Work",
        "States": {"Work": {**task, "Parameters": {"FunctionName": "${WORK_FUNCTION}", "Payload": {}}}},
    }
    made = make(functions=WORK, state_machines={"fulfil": {"definition": definition, "invokes": ["work"]}})

    machine = properties(made, "FulfilStateMachine")
    assert machine["DefinitionSubstitutions"]["WORK_FUNCTION"] == arn("WorkFunction")
    assert allowed(made, "FulfilStateMachinePolicy")["lambda:InvokeFunction"] == [arn("WorkFunction")]


@pytest.mark.parametrize(
    ("kind", "settings", "source", "action"),
    [
        ("queues", {}, arn("ThingQueue"), "sqs:ReceiveMessage"),
        ("streams", {}, arn("ThingStream"), "kinesis:GetRecords"),
        (
            *("tables", {"partition_key": "id", "stream": "NEW_IMAGE"}),
            *({"Fn::GetAtt": ["ThingTable", "StreamArn"]}, "dynamodb:GetRecords"),
        ),
    ],
)
def test_a_function_consumes(kind: str, settings: Any, source: Any, action: str) -> None:
    consumes = {"thing": {"batch_size": 5, "report_failed_items": False}}
    made = make(**{kind: {"thing": settings}}, functions={"work": {"code": CODE, "consumes": consumes}})

    mapping = properties(made, "WorkFromThing")
    assert (mapping["EventSourceArn"], mapping["FunctionName"], mapping["BatchSize"]) == (
        source,
        arn("WorkFunction"),
        5,
    )
    assert "FunctionResponseTypes" not in mapping
    assert action in allowed(made, "WorkFunctionPolicy")


@pytest.mark.parametrize(
    ("kind", "settings", "destination", "action"),
    [
        ("queues", {}, arn("DoneQueue"), "sqs:SendMessage"),
        ("topics", {}, ref("DoneTopic"), "sns:Publish"),
        ("buses", {}, arn("DoneBus"), "events:PutEvents"),
        ("functions", {"code": CODE}, arn("DoneFunction"), "lambda:InvokeFunction"),
    ],
)
def test_results_go_on(kind: str, settings: Any, destination: Any, action: str) -> None:
    given: dict[str, Any] = {kind: {"done": settings}}
    made = make(**{**given, "functions": {**given.get("functions", {}), "work": {"code": CODE, "on_success": "done"}}})

    config = properties(made, "WorkFunctionAsyncInvocation")["DestinationConfig"]
    assert config["OnSuccess"] == {"Destination": destination}
    assert destination in allowed(made, "WorkFunctionPolicy")[action]


# messaging


def test_a_rule_with_targets_in_two_stacks_becomes_two_rules() -> None:
    settings: dict[str, Any] = {
        "functions": WORK,
        "queues": {"jobs": {}, "more": {}},
        "rules": {"placed": {"pattern": {"source": ["shop"]}, "targets": ["work", "jobs", "more"], "retries": 3}},
    }
    made = make(**settings)
    stacks = layered(**settings)

    assert {name: rule.stack.name for name, rule in made.rules.items()} == {"placed": "app", "placed-data": "data"}
    by_stack = {
        place: [
            (name, node["Properties"])
            for name, node in stack.template["Resources"].items()
            if node["Type"] == "AWS::Events::Rule"
        ]
        for place, stack in stacks.items()
    }
    ((first, code),), ((second, data),) = by_stack["app"], by_stack["data"]
    assert (first, second) == ("PlacedRule", "PlacedDataRule")
    assert [target["Arn"] for target in code["Targets"]] == [arn("WorkFunction")]
    assert [target["Arn"] for target in data["Targets"]] == [arn("JobsQueue"), arn("MoreQueue")]
    assert code["EventPattern"] == data["EventPattern"] == {"source": ["shop"]}
    assert {target["RetryPolicy"]["MaximumRetryAttempts"] for target in (*code["Targets"], *data["Targets"])} == {3}


def test_the_part_of_a_rule_in_another_stack_needs_its_name(tmp_path: Path) -> None:
    file = tmp_path / "archlib.yaml"
    file.write_text(
        """blueprint: serverless
app: shop
settings:
  functions: {work: {code: {inline: "def handler(event, context): return event"}}}
  queues: {jobs: {}}
  rules:
    placed-data: {pattern: {source: [a]}, targets: [jobs]}
    placed: {pattern: {source: [b]}, targets: [work, jobs]}
""",
        encoding="utf-8",
    )

    with pytest.raises(SettingsError) as caught:
        load(file, environment="dev")

    assert str(caught.value) == (
        f"{file}:8: rule 'placed': targets in stack 'data' need a rule of their own, 'placed-data', but "
        f"{file}:7 is called so already; rename that one"
    )


def test_a_rule_lives_with_its_targets() -> None:
    made = make(queues={"jobs": {}}, rules={"placed": {"pattern": {"source": ["shop"]}, "targets": ["jobs"]}})

    assert (list(made.rules), made.rules["placed"].stack.name) == (["placed"], "data")


@pytest.mark.parametrize(
    ("bus", "expected"), [("default", "default"), ("shop", ref("ShopBus")), ("buses/shop", ref("ShopBus"))]
)
def test_a_rule_listens_to_a_bus(bus: str, expected: Any) -> None:
    rule = {"bus": bus, "pattern": {"source": ["shop"]}, "targets": ["work"]}
    made = make(functions=WORK, buses={"shop": {}}, rules={"placed": rule})

    assert properties(made, "PlacedRule")["EventBusName"] == expected


def test_a_rule_follows_a_bucket() -> None:
    made = make(
        functions=WORK,
        buckets={"files": {"events": True}},
        rules={"uploaded": {"bucket": "files", "targets": ["work"]}},
    )

    pattern = properties(made, "UploadedRule")["EventPattern"]
    assert pattern["detail"]["bucket"]["name"] == [ref("FilesBucket")]
    assert pattern["detail-type"] == ["Object Created"]


@pytest.mark.parametrize(
    ("kind", "target", "expected", "action"),
    [
        ("functions", {"code": CODE}, arn("ThingFunction"), "lambda:InvokeFunction"),
        ("queues", {}, arn("ThingQueue"), "sqs:SendMessage"),
        ("topics", {}, ref("ThingTopic"), "sns:Publish"),
        ("state_machines", MACHINE, ref("ThingStateMachine"), "states:StartExecution"),
        ("buses", {}, arn("ThingBus"), "events:PutEvents"),
    ],
)
def test_a_schedule_starts_its_target(kind: str, target: Any, expected: Any, action: str) -> None:
    schedule = {
        "expression": "cron(0 8 * * ? *)",
        "timezone": "Europe/Berlin",
        "target": "thing",
        "payload": '{"a": 1}',
    }
    made = make(**{kind: {"thing": target}}, schedules={"nightly": schedule})

    rendered = properties(made, "NightlySchedule")
    assert (rendered["ScheduleExpression"], rendered["ScheduleExpressionTimezone"]) == (
        "cron(0 8 * * ? *)",
        "Europe/Berlin",
    )
    assert (rendered["Target"]["Arn"], rendered["Target"]["Input"]) == (expected, '{"a": 1}')
    assert expected in allowed(made, "NightlySchedulePolicy")[action]


def test_deliveries_take_records_from_callers_or_from_a_stream() -> None:
    made = make(
        buckets={"files": {}},
        streams={"clicks": {}},
        deliveries={"lake": {"bucket": "files", "buffer_mib": 64}, "archive": {"bucket": "files", "stream": "clicks"}},
    )

    lake, archive = properties(made, "LakeDelivery"), properties(made, "ArchiveDelivery")
    assert (lake["DeliveryStreamType"], archive["DeliveryStreamType"]) == ("DirectPut", "KinesisStreamAsSource")
    assert lake["ExtendedS3DestinationConfiguration"]["BucketARN"] == arn("FilesBucket")
    assert lake["ExtendedS3DestinationConfiguration"]["BufferingHints"]["SizeInMBs"] == 64
    assert archive["KinesisStreamSourceConfiguration"]["KinesisStreamARN"] == arn("ClicksStream")


def test_deliveries_write_to_an_index_of_a_search_domain() -> None:
    made = make(
        buckets={"files": {}},
        search_domains={"catalogue": {}},
        deliveries={
            "clicks": {"bucket": "files", "search_domain": "catalogue", "index": "web-clicks"},
            "orders": {
                "bucket": "files",
                "search_domain": "catalogue",
                "index": {"rotation": "OneMonth", "retry": "1h", "backup": "AllDocuments"},
            },
            "lake": {"bucket": "files"},
        },
    )

    clicks, orders = (
        properties(made, name)["AmazonopensearchserviceDestinationConfiguration"]
        for name in ("ClicksDelivery", "OrdersDelivery")
    )
    assert clicks["DomainARN"] == orders["DomainARN"] == arn("CatalogueSearchDomain")
    assert (clicks["IndexName"], clicks["IndexRotationPeriod"]) == ("web-clicks", "OneDay")
    assert (orders["IndexName"], orders["IndexRotationPeriod"]) == ("orders", "OneMonth")
    assert (orders["RetryOptions"], orders["S3BackupMode"]) == ({"DurationInSeconds": 3600}, "AllDocuments")
    assert "ExtendedS3DestinationConfiguration" in properties(made, "LakeDelivery")
    roles = {name: output["Value"] for name, output in template(made)["Outputs"].items() if name.endswith("SearchRole")}
    assert roles == {f"{name}SearchRole": arn(f"{name}DeliveryRole") for name in ("Clicks", "Orders")}


def test_what_a_delivery_reads_from_a_stream_cannot_also_be_sent_to_it() -> None:
    with pytest.raises(SettingsError, match="write to 'clicks' instead"):
        make(
            buckets={"files": {}},
            streams={"clicks": {}},
            deliveries={"lake": {"bucket": "files", "stream": "clicks"}},
            functions={"work": {"code": CODE, "sends_to": ["lake"]}},
        )


def test_a_topic_delivers_to_all_kinds_of_subscribers() -> None:
    made = make(
        functions=WORK,
        queues={"jobs": {}},
        topics={
            "news": {
                "subscribers": {
                    "jobs": {"filter_policy": {"kind": ["order"]}, "raw": False},
                    "functions/work": {},
                    "oncall@example.com": {},
                    "https://example.com/news": {},
                }
            }
        },
    )

    found = of_type(made, "AWS::SNS::Subscription")
    assert {(node["Protocol"], json.dumps(node["Endpoint"])) for node in found.values()} == {
        ("sqs", json.dumps(arn("JobsQueue"))),
        ("lambda", json.dumps(arn("WorkFunction"))),
        ("email", '"oncall@example.com"'),
        ("https", '"https://example.com/news"'),
    }
    (queue,) = [node for node in found.values() if node["Protocol"] == "sqs"]
    assert queue["FilterPolicy"] == {"kind": ["order"]}
    assert "RawMessageDelivery" not in queue
    assert all("RedrivePolicy" in node for node in found.values())


# APIs


def test_a_rest_route_leads_to_a_function_a_queue_a_state_machine_or_a_url() -> None:
    made = make(
        functions=WORK,
        queues={"jobs": {}},
        state_machines={"fulfil": {**MACHINE}},
        rest_apis={
            "store": {
                "routes": {
                    "GET /a": "work",
                    "GET /b": {"function": "work", "api_key": False},
                    "POST /c": {"queue": "jobs"},
                    "POST /d": {"state_machine": "fulfil"},
                    "GET /e": {"url": "https://example.com/e"},
                }
            }
        },
    )

    methods = of_type(made, "AWS::ApiGateway::Method")
    uris = {name: json.dumps(method["Integration"].get("Uri")) for name, method in methods.items()}
    assert {name: method["Integration"]["Type"] for name, method in methods.items()} == {
        "StoreGetAMethod": "AWS_PROXY",
        "StoreGetBMethod": "AWS_PROXY",
        "StorePostCMethod": "AWS",
        "StorePostDMethod": "AWS",
        "StoreGetEMethod": "HTTP_PROXY",
    }
    assert "WorkFunction" in uris["StoreGetAMethod"]
    assert "JobsQueue" in uris["StorePostCMethod"]
    assert "states" in uris["StorePostDMethod"]
    assert uris["StoreGetEMethod"] == '"https://example.com/e"'
    assert {method["AuthorizationType"] for method in methods.values()} == {"AWS_IAM"}
    assert "StoreUrl" in template(made)["Outputs"]


def test_an_http_route_leads_to_a_function_or_a_url() -> None:
    made = make(
        functions=WORK,
        http_apis={"public": {"routes": {"GET /a": "work", "GET /b": {"url": "https://example.com/b"}}}},
    )

    kinds = sorted(node["IntegrationType"] for node in of_type(made, "AWS::ApiGatewayV2::Integration").values())
    routes = of_type(made, "AWS::ApiGatewayV2::Route").values()
    assert kinds == ["AWS_PROXY", "HTTP_PROXY"]
    assert {route["RouteKey"] for route in routes} == {"GET /a", "GET /b"}
    assert {route["AuthorizationType"] for route in routes} == {"AWS_IAM"}
    assert "PublicUrl" in template(made)["Outputs"]


def rest_types(for_all: str, for_one: str | None = None) -> tuple[str, dict[str, dict[str, Any]]]:
    made = make(
        functions=WORK,
        user_pools={"people": {"clients": {"web": {}}}},
        rest_apis={
            "store": {
                "authorizer": for_all,
                "authorizers": {"mine": {"function": "work", "headers": ["X-Key"], "cache": "1m"}},
                "routes": {"GET /a": {"function": "work", "authorizer": for_one}},
            }
        },
    )
    kind: str = properties(made, "StoreGetAMethod")["AuthorizationType"]
    return kind, of_type(made, "AWS::ApiGateway::Authorizer")


@pytest.mark.parametrize(
    ("authorizer", "kind"),
    [("iam", "AWS_IAM"), ("none", "NONE"), ("people", "COGNITO_USER_POOLS"), ("mine", "CUSTOM")],
)
def test_who_may_call_a_rest_api_is_chosen_for_all_routes_or_for_one(authorizer: str, kind: str) -> None:
    other = "none" if authorizer == "iam" else "iam"
    for_all, authorizers = rest_types(authorizer)
    for_one, same = rest_types(other, authorizer)

    assert for_all == for_one == kind
    assert authorizers == same
    if kind == "COGNITO_USER_POOLS":
        (only,) = authorizers.values()
        assert only["ProviderARNs"] == [arn("PeopleUserPool")]
    if kind == "CUSTOM":
        (only,) = authorizers.values()
        assert "WorkFunction" in json.dumps(only["AuthorizerUri"])
        assert (only["IdentitySource"], only["AuthorizerResultTtlInSeconds"]) == ("method.request.header.X-Key", 60)


def test_who_may_call_an_http_api_is_iam_nobody_in_particular_tokens_or_a_function() -> None:
    made = make(
        functions=WORK,
        user_pools={"people": {"clients": {"web": {}}}},
        http_apis={
            "public": {
                "authorizer": "people",
                "authorizers": {
                    "mine": {"function": "work"},
                    "login": {"issuer": "https://login.example.com", "audience": ["shop"]},
                },
                "routes": {
                    "GET /a": "work",
                    "GET /b": {"function": "work", "authorizer": "login"},
                    "GET /c": {"function": "work", "authorizer": "mine"},
                    "GET /d": {"function": "work", "authorizer": "iam"},
                    "GET /e": {"function": "work", "authorizer": "none"},
                },
            }
        },
    )

    kinds = {node["RouteKey"]: node["AuthorizationType"] for node in of_type(made, "AWS::ApiGatewayV2::Route").values()}
    tokens = {
        json.dumps(node["JwtConfiguration"], sort_keys=True)
        for node in of_type(made, "AWS::ApiGatewayV2::Authorizer").values()
        if node["AuthorizerType"] == "JWT"
    }
    assert kinds == {"GET /a": "JWT", "GET /b": "JWT", "GET /c": "CUSTOM", "GET /d": "AWS_IAM", "GET /e": "NONE"}
    assert len(tokens) == 2
    assert json.dumps({"Audience": ["shop"], "Issuer": "https://login.example.com"}, sort_keys=True) in tokens
    assert any(json.dumps(ref("PeopleWebClient")) in token for token in tokens)


def test_a_firewall_stands_before_a_rest_api() -> None:
    made = make(
        functions=WORK,
        firewalls={"edge": {}},
        rest_apis={"store": {"firewall": "edge", "routes": {"GET /a": "work"}}},
    )

    (association,) = of_type(made, "AWS::WAFv2::WebACLAssociation").values()
    assert association["WebACLArn"] == arn("EdgeFirewall")
    assert "StoreRestApi" in json.dumps(association["ResourceArn"])


# people


def test_applications_and_groups_of_people_are_made_and_their_ids_put_out() -> None:
    made = make(
        user_pools={
            "people": {
                "clients": {"web": {"callback_urls": ["https://shop.example.com/in"]}, "phone": {}},
                "groups": {"staff": {"precedence": 1}},
                "domain": "shop-people",
            }
        }
    )

    outputs = template(made)["Outputs"]
    assert outputs["PeopleWebClient"]["Value"] == ref("PeopleWebClient")
    assert outputs["PeoplePhoneClient"]["Value"] == ref("PeoplePhoneClient")
    assert properties(made, "PeopleWebClient")["CallbackURLs"] == ["https://shop.example.com/in"]
    assert properties(made, "PeopleStaffGroup")["Precedence"] == 1
    assert properties(made, "PeopleUserPoolDomain")["Domain"] == "shop-people"
    assert len(made.clients["people"]) == 2


SECRET = {"arn": "arn:aws:secretsmanager:us-east-1:111122223333:secret:idp-AbCdEf"}
SOCIAL = {"client_id": "shop", "client_secret": SECRET}


def test_people_sign_in_elsewhere_and_every_application_offers_it() -> None:
    apple = {**SOCIAL, "client_secret": {**SECRET, "key": "private_key"}, "more": {"team_id": "T", "key_id": "K"}}
    made = make(
        user_pools={
            "people": {
                "clients": {"web": {}},
                "providers": {
                    "corp": {"saml": {"metadata_url": "https://idp.example.com/metadata"}},
                    "partner": {"oidc": {"issuer": "https://login.example.com", **SOCIAL}},
                    "search": {"google": SOCIAL},
                    "friends": {"facebook": {**SOCIAL, "more": {"api_version": "v17.0"}}},
                    "phone": {"apple": apple},
                    "store": {"amazon": {**SOCIAL, "scopes": ["profile"]}},
                },
            }
        }
    )

    providers = of_type(made, "AWS::Cognito::UserPoolIdentityProvider")
    web = resources(made)["PeopleWebClient"]
    names = ["corp", "partner", "Google", "Facebook", "SignInWithApple", "LoginWithAmazon"]
    assert [each["ProviderName"] for each in providers.values()] == names
    assert web["Properties"]["SupportedIdentityProviders"] == ["COGNITO", *names]
    assert web["DependsOn"] == sorted(providers)
    assert providers["PeopleCorpProvider"]["ProviderDetails"] == {"MetadataURL": "https://idp.example.com/metadata"}
    assert "claims/emailaddress" in providers["PeopleCorpProvider"]["AttributeMapping"]["email"]
    assert providers["PeoplePartnerProvider"]["ProviderDetails"]["authorize_scopes"] == "openid email"
    assert providers["PeopleAppleProvider"]["ProviderDetails"]["private_key"].endswith(":SecretString:private_key}}")


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ({}, "provider 'corp': must be one of saml, oidc, google, facebook, apple or amazon, got none"),
        ({"google": SOCIAL, "amazon": SOCIAL}, "or amazon, got google and amazon"),
        ({"saml": {"metadata_url": "http://idp.example.com"}}, "metadata_url must be an https:// address"),
        ({"apple": SOCIAL}, "more must be team_id and key_id for Apple"),
    ],
)
def test_a_provider_is_exactly_one_that_cognito_takes(provider: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make(user_pools={"people": {"providers": {"corp": provider}}})


# network


@pytest.mark.parametrize(
    ("settings", "network"),
    [
        ({"functions": WORK}, False),
        ({"functions": {"work": {"code": CODE, "in_network": True}}}, True),
        ({"functions": {"work": {"code": CODE, "file_system": MOUNT}}}, True),
        ({"databases": {"ledger": {}}}, True),
        ({"network": {}, "queues": {"jobs": {}}}, True),
    ],
)
def test_there_is_a_network_where_something_needs_one(settings: dict[str, Any], network: bool) -> None:  # noqa: FBT001
    made = make(**settings)

    assert isinstance(made.network, Vpc) == network
    assert bool(of_type(made, "AWS::EC2::VPC")) == network


def test_only_what_asks_for_it_runs_in_the_network() -> None:
    made = make(
        network={"cidr": "10.1.0.0/16", "zones": 3},
        functions={"inside": {"code": CODE, "in_network": True}, "outside": {"code": CODE}},
    )

    assert len(properties(made, "InsideFunction")["VpcConfig"]["SubnetIds"]) == 3
    assert "VpcConfig" not in properties(made, "OutsideFunction")
    assert properties(made, "ShopVpc")["CidrBlock"] == "10.1.0.0/16"


def test_connecting_to_a_database_brings_a_function_into_the_network() -> None:
    made = make(databases={"ledger": {}}, functions={"work": {"code": CODE, "connects_to": ["ledger"]}})

    assert "VpcConfig" in properties(made, "WorkFunction")
    assert "LEDGER_HOST" in properties(made, "WorkFunction")["Environment"]["Variables"]


def test_a_state_machine_cannot_connect_to_a_database() -> None:
    with pytest.raises(ValidationError, match="connects_to"):
        make(databases={"ledger": {}}, state_machines={"fulfil": {**MACHINE, "connects_to": ["ledger"]}})


def test_a_rest_and_an_http_api_may_have_the_same_name() -> None:
    routes = {"routes": {"GET /a-b": "work", "GET /a_b": "work"}}

    app = layered(functions=WORK, rest_apis={"shop": routes}, http_apis={"shop": routes})["app"].template

    assert {"ShopUrl", "ShopHttpUrl"} <= app["Outputs"].keys()
    assert {"ShopStage", "ShopHttpStage"} <= app["Resources"].keys()


def test_applications_of_the_same_name_are_named_by_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "archlib.yaml"
    file.write_text(
        """blueprint: serverless
app: shop
settings:
  user_pools:
    people:
      clients:
        staff-web: {}
      groups:
        staff-boss: {}
    people-staff:
      clients:
        web: {}
      groups:
        boss: {}
""",
        encoding="utf-8",
    )

    with pytest.raises(SettingsError) as caught:
        load(file, environment="dev")

    lines = str(caught.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [f"{file}:12", f"{file}:14"]
    assert f"(from {file}:7); rename one of the two" in lines[0]
    assert f"(from {file}:9); rename one of the two" in lines[1]


# monitoring


WATCHED: dict[str, Any] = {"functions": WORK, "queues": {"jobs": {}}}


def test_everything_worth_watching_has_an_alarm_that_tells_people() -> None:
    made = make(**WATCHED, monitoring={"emails": ["oncall@example.com"]})

    alarms = of_type(made, "AWS::CloudWatch::Alarm")
    watched = [watch for part in (made.functions["work"], made.queues["jobs"]) for watch in part.watches()]
    (email,) = of_type(made, "AWS::SNS::Subscription").values()
    assert len(made.alarms) == len(alarms) == len(watched) > 0
    assert all(alarm["AlarmActions"] == [ref("AlarmsTopic")] for alarm in alarms.values())
    assert (email["Protocol"], email["Endpoint"], email["TopicArn"]) == (
        "email",
        "oncall@example.com",
        ref("AlarmsTopic"),
    )
    assert {part.stack.name for part in made.alarms} == {"monitoring"}


def test_a_version_that_fails_is_rolled_back_and_told() -> None:
    shifting = {**WORK["work"], "live": {"shift": "canary-10-percent-5-minutes"}}

    stacks = layered(functions={"work": shifting}, monitoring={})

    found = stacks["app"].template["Resources"]
    (alarm,) = found["WorkDeploymentGroup"]["Properties"]["AlarmConfiguration"]["Alarms"]
    assert alarm == {"Name": ref("WorkLiveErrorsAlarm")}
    assert found["WorkLiveErrorsAlarm"]["Properties"]["AlarmActions"] == [ref("AlarmsTopic")]
    assert "AlarmsTopic" in stacks["data"].template["Resources"]


def test_a_version_that_fails_is_rolled_back_without_alarms_too() -> None:
    shifting = {**WORK["work"], "live": {"shift": "canary-10-percent-5-minutes"}}

    found = layered(functions={"work": shifting}, monitoring={"alarms": False})["app"].template["Resources"]

    assert "AlarmConfiguration" in found["WorkDeploymentGroup"]["Properties"]
    assert "AlarmActions" not in found["WorkLiveErrorsAlarm"]["Properties"]


def test_the_dashboard_shows_what_there_is_by_tier() -> None:
    made = make(**WATCHED, monitoring={})

    assert all(isinstance(each, Dashboard) for each in made.dashboards)
    ((_, dashboard),) = of_type(made, "AWS::CloudWatch::Dashboard").items()
    body = json.dumps(dashboard["DashboardBody"])
    for heading, shown in (("Functions", True), ("Messaging", True), ("APIs", False), ("Data", False)):
        assert (f"# {heading}" in body) == shown, heading


@pytest.mark.parametrize(("alarms", "dashboard"), [(True, False), (False, True), (False, False)])
def test_alarms_and_dashboard_can_be_left_out(alarms: bool, dashboard: bool) -> None:  # noqa: FBT001
    made = make(**WATCHED, monitoring={"alarms": alarms, "dashboard": dashboard})

    assert bool(of_type(made, "AWS::CloudWatch::Alarm")) == bool(made.alarms) == bool(made.alarm_topic) == alarms
    assert bool(of_type(made, "AWS::CloudWatch::Dashboard")) == bool(made.dashboards) == dashboard


def test_without_anything_to_watch_there_is_no_monitoring() -> None:
    stacks = layered(parameters={"theme": {"value": "dark"}}, monitoring={})

    assert "monitoring" not in stacks


def test_tracing_is_chosen() -> None:
    made = make(functions=WORK, tracing={"rules": [{"name": "all", "rate": 1}]})

    (rule,) = of_type(made, "AWS::XRay::SamplingRule").values()
    assert rule["SamplingRule"]["FixedRate"] == 1
    assert made.tracing is not None


# what was found wrong together


def test_settings_are_checked_before_anything_is_wired() -> None:
    with pytest.raises(SettingsError) as caught:
        make(
            queues={"jobs": {"visibility": "13h"}, "more": {"max_receives": 0}},
            functions={"work": {"code": CODE, "memory_mib": 1, "consumes": {"jobs": {}}}},
        )

    assert [problem.message.partition(":")[0] for problem in caught.value.problems] == [
        "queue 'jobs'",
        "queue 'more'",
        "function 'work'",
    ]
