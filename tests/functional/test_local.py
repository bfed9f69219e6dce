"""The local engine: every blueprint is created and deleted in it unmodified, and what they make works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from itertools import product
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from archlib import load
from archlib.core.source import read_yaml
from archlib.local import LocalEngine, recorded_types
from local_stacks import Stacks

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"
FILES = sorted(BLUEPRINTS.glob("*.yaml"))
JOBS = """\
blueprint: serverless
app: jobs
settings:
  http_apis:
    public:
      routes: {POST /orders: order}
  functions:
    order:
      sends_to: [jobs]
      code:
        inline: |
          import os, boto3
          def handler(event, context):
              boto3.client("sqs").send_message(QueueUrl=os.environ["JOBS_QUEUE_URL"], MessageBody=event["body"])
              return {"statusCode": 202}
    worker:
      writes: [orders]
      consumes: {jobs: {}}
      code:
        inline: |
          import json, os, boto3
          def handler(event, context):
              table = boto3.resource("dynamodb").Table(os.environ["ORDERS_TABLE"])
              for record in event["Records"]:
                  table.put_item(Item=json.loads(record["body"]))
  queues:
    jobs: {}
  tables:
    orders: {partition_key: customer}
  monitoring: {alarms: false, dashboard: false}
environments:
  dev: {}
"""
PASSWORD = "Correct-horse-battery-9"  # noqa: S105  (of a user who is made here)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    engine = LocalEngine(tmp_path_factory.mktemp("engine"))
    engine.start()
    yield engine
    engine.reset()


@pytest.fixture
def stacks(engine: LocalEngine) -> Stacks:
    stacks = Stacks(engine.endpoint)
    stacks.forget_everything()
    return stacks


def every_way() -> Iterator[Any]:
    for file in FILES:
        for environment, layout in product(read_yaml(file)[0]["environments"], ("layered", "single")):
            yield pytest.param(file, environment, layout, id=f"{file.stem}-{environment}-{layout}")


@pytest.mark.parametrize(("file", "environment", "layout"), list(every_way()))
def test_every_blueprint_is_created_and_deleted(file: Path, environment: str, layout: Any, stacks: Stacks) -> None:
    app = load(file, environment=environment, layout=layout).assemble()

    assert stacks.deploy(app) == {stack.name: "CREATE_COMPLETE" for stack in app}
    assert stacks.delete(app) == {stack.name: "DELETE_COMPLETE" for stack in app}


def test_a_blueprint_is_updated(stacks: Stacks) -> None:
    file = BLUEPRINTS / "serverless.yaml"
    stacks.deploy(load(file).assemble())

    updated = stacks.deploy(load(file, sets=["functions.ship-order.memory_mib=512", "queues.extra={}"]).assemble())

    assert updated["shop-dev-app"] == updated["shop-dev-data"] == "UPDATE_COMPLETE"
    function = stacks.resources("shop-dev-app")["ShipOrderFunction"]
    found = stacks.client("lambda").get_function_configuration(FunctionName=function)
    assert found["MemorySize"] == 512
    assert "ExtraQueue" in stacks.resources("shop-dev-data")


def test_what_is_recorded_only_is_said(engine: LocalEngine, stacks: Stacks) -> None:
    app = load(BLUEPRINTS / "microservices.yaml").assemble()
    stacks.deploy(app)

    recorded = engine.recorded()

    expected = {
        (stack.region or stacks.region, stack.name, name, resource["Type"])
        for stack in app
        for name, resource in stack.template["Resources"].items()
        if resource["Type"] in recorded_types()
    }
    assert {(each["region"], each["stack"], each["logical_id"], each["type"]) for each in recorded} == expected
    assert {"us-east-1", "eu-west-1"} == {region for region, *_ in expected}


class Shop:
    """The API of blueprints/serverless.yaml, and a customer who is signed in."""

    def __init__(self, stacks: Stacks) -> None:
        self.stacks = stacks
        self.ids = {
            name: physical_id
            for stack in load(BLUEPRINTS / "serverless.yaml").assemble()
            for name, physical_id in stacks.resources(stack.name).items()
        }
        self.token = self._sign_in(self.ids["CustomersUserPool"])

    def _sign_in(self, pool: str) -> str:
        cognito = self.stacks.client("cognito-idp")
        # The client of the shop's page takes no passwords; one for the test does.
        client = cognito.create_user_pool_client(
            UserPoolId=pool, ClientName="test", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
        )["UserPoolClient"]["ClientId"]
        user = {"UserPoolId": pool, "Username": "ada@example.com"}
        email = [{"Name": "email", "Value": "ada@example.com"}]
        cognito.admin_create_user(
            **user, UserAttributes=email, MessageAction="SUPPRESS", TemporaryPassword=f"{PASSWORD}-1"
        )
        cognito.admin_set_user_password(**user, Password=PASSWORD, Permanent=True)
        answer = cognito.admin_initiate_auth(
            UserPoolId=pool,
            ClientId=client,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "ada@example.com", "PASSWORD": PASSWORD},
        )
        token: str = answer["AuthenticationResult"]["IdToken"]
        return token

    def call(self, method: str, body: Any = None, *, token: str | None = None) -> tuple[int, Any]:
        connection = HTTPConnection(self.stacks.endpoint.removeprefix("http://"), timeout=60)
        headers = {"Content-Type": "application/json"} | ({"Authorization": token} if token else {})
        path = f"/_aws/execute-api/{self.ids['StoreRestApi']}/{self.ids['StoreStage']}/orders"
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        connection.close()
        return answer.status, content


def eventually(look: Any) -> Any:
    deadline = monotonic() + 30
    while not (found := look()):
        assert monotonic() < deadline, "it did not happen"
        sleep(0.1)
    return found


def test_an_order_goes_through_the_whole_shop(stacks: Stacks) -> None:
    stacks.deploy(load(BLUEPRINTS / "serverless.yaml").assemble())
    shop = Shop(stacks)

    assert shop.call("POST", {"items": ["tea"]}) == (401, {"message": "Unauthorized"})
    assert shop.call("POST", {"items": ["tea"]}, token=f"{shop.token}x") == (401, {"message": "Unauthorized"})

    status, order = shop.call("POST", {"items": ["tea"]}, token=shop.token)
    assert status == 201
    assert order["items"] == ["tea"]
    assert shop.call("GET", token=shop.token) == (200, {"orders": [order]})

    fulfilment = stacks.client("stepfunctions")
    machine = shop.ids["FulfilmentStateMachine"]
    done = eventually(
        lambda: fulfilment.list_executions(stateMachineArn=machine, statusFilter="SUCCEEDED")["executions"]
    )
    assert len(done) == 1
    messages = stacks.client("logs")
    told = eventually(
        lambda: messages.filter_log_events(logGroupName=shop.ids["NotifyCustomerFunctionLogGroup"])["events"]
    )
    assert told

    def archived() -> Any:
        # The activity is read from its newest record on, and that is where the reader is when it first looks.
        shop.call("POST", {"items": ["cake"]}, token=shop.token)
        return stacks.client("s3").list_objects_v2(Bucket=shop.ids["ArchiveBucket"]).get("Contents")

    (first, *_) = eventually(archived)
    content = stacks.client("s3").get_object(Bucket=shop.ids["ArchiveBucket"], Key=first["Key"])["Body"].read()
    assert [json.loads(line)["items"] for line in content.splitlines()][-1] in (["tea"], ["cake"])


def test_a_signed_request_goes_through_the_queue_into_the_table(stacks: Stacks, tmp_path: Path) -> None:
    file = tmp_path / "archlib.yaml"
    file.write_text(JOBS)
    (stack,) = app = load(file, layout="single").assemble()
    assert stacks.deploy(app) == {"jobs-dev": "CREATE_COMPLETE"}
    ids = stacks.resources(stack.name)
    request = AWSRequest(
        "POST",
        f"{stacks.endpoint}/_aws/execute-api/{ids['PublicHttpApi']}/$default/orders",
        data=json.dumps({"customer": "ada"}),
        headers={"Content-Type": "application/json"},
    )

    assert URLLib3Session().send(request.prepare()).status_code == 403

    SigV4Auth(Credentials("000000000000", "local"), "execute-api", stacks.region).add_auth(request)
    assert URLLib3Session().send(request.prepare()).status_code == 202
    items = eventually(lambda: stacks.client("dynamodb").scan(TableName=ids["OrdersTable"])["Items"])
    assert items == [{"customer": {"S": "ada"}}]
