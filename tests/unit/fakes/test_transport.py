from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    HTTPClientError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from fakes import Buckets, FakeCloudFormation, FaultProxy, ScaledClock, ScriptedServices, ServiceError, serve
from fakes.errors import ModelViolation
from fakes.query import parse_request, render_answer
from unit.fakes.conftest import Driver, client, queue, template


class TestFaults:
    @pytest.mark.parametrize(
        ("kind", "code"),
        [
            ("throttle", "Throttling"),
            ("error_500", "InternalFailure"),
            ("expired_token", "ExpiredToken"),
            ("access_denied", "AccessDenied"),
            ("clock_skew", "SignatureDoesNotMatch"),
        ],
    )
    def test_refusals(self, driver: Driver, kind: Any, code: str) -> None:
        driver.fake.fault("ListStacks", kind, after=1, times=1, seconds=600)

        driver.aws.list_stacks()
        with pytest.raises(ClientError) as caught:
            driver.aws.list_stacks()
        driver.aws.list_stacks()

        assert caught.value.response["Error"]["Code"] == code
        assert driver.fake.count("ListStacks") == 2

    @pytest.mark.parametrize(
        ("kind", "error", "acts"),
        [
            ("lost_request", ConnectionClosedError, False),
            ("lost_response", ConnectionClosedError, True),
            ("timeout", ReadTimeoutError, True),
            ("html_page", ResponseParserError, False),
            ("xhtml_page", KeyError, False),  # well-formed, so botocore looks for the result in it
            ("truncated_xml", ResponseParserError, True),
        ],
    )
    def test_broken_answers(self, driver: Driver, kind: Any, error: type[Exception], acts: Any) -> None:
        driver.fake.fault("*", kind)

        with pytest.raises(error):
            driver.change_set(template(A=queue()), "CREATE")

        assert bool(driver.fake.world.store.stacks) is acts

    def test_latency(self, driver: Driver) -> None:
        before = driver.clock.now()
        driver.fake.fault("ListStacks", "latency", seconds=7)

        driver.aws.list_stacks()

        assert driver.clock.now() == before + 7

    def test_a_stale_read_shows_what_was_before_the_write(self, driver: Driver) -> None:
        change_set = driver.change_set(template(A=queue()), "CREATE")
        driver.fake.fault("DescribeStacks", "stale", times=1)
        driver.aws.execute_change_set(ChangeSetName=change_set)

        assert driver.stack()["StackStatus"] == "REVIEW_IN_PROGRESS"
        assert driver.stack()["StackStatus"] == "CREATE_IN_PROGRESS"

    def test_outsiders_act_in_their_time(self, driver: Driver) -> None:
        driver.deploy(template(A=queue()), "CREATE")
        driver.fake.outsider(driver.clock.now() + 30, lambda: driver.fake.call("DeleteStack", {"StackName": "shop"}))

        driver.clock.sleep(29)
        assert driver.status() == "CREATE_COMPLETE"
        driver.clock.sleep(2)
        assert driver.status() == "DELETE_IN_PROGRESS"


class TestModel:
    def test_unknown_parameters_and_members_are_mistakes(self) -> None:
        with pytest.raises(ModelViolation, match="Colour"):
            parse_request("cloudformation", "Action=ListStacks&Version=2010-05-15&Colour=red")
        with pytest.raises(ModelViolation, match="Colour"):
            render_answer("cloudformation", "ListStacks", {"Colour": "red"}, "1")
        with pytest.raises(ModelViolation, match="must be one of"):
            render_answer(
                "cloudformation",
                "ListStacks",
                {"StackSummaries": [{"StackName": "a", "CreationTime": 0, "StackStatus": "GREEN"}]},
                "1",
            )


class TestWire:
    def test_another_process_would_see_the_same(self) -> None:
        clock = ScaledClock()
        fake = FakeCloudFormation(clock)
        with serve(fake, clock) as url:
            aws = client(endpoint_url=url)
            body = json.dumps(template(A=queue()))
            aws.create_change_set(StackName="shop", ChangeSetName="s", ChangeSetType="CREATE", TemplateBody=body)
            assert aws.describe_stacks()["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS"
            fake.fault("ListStacks", "lost_response")
            with pytest.raises(ConnectionClosedError):
                aws.list_stacks()
            with pytest.raises(ClientError, match="Stack with id nowhere does not exist"):
                aws.describe_stacks(StackName="nowhere")

    @pytest.mark.parametrize(("fault", "reached"), [("refuse", 0), ("reset", 0), ("reset_answer", 1), ("truncate", 1)])
    def test_proxy(self, fault: Any, reached: int) -> None:
        clock = ScaledClock()
        fake = FakeCloudFormation(clock)
        with serve(fake, clock) as url, FaultProxy(urlsplit(url).port or 0) as proxy:
            aws = client(endpoint_url=proxy.url)
            proxy.plan(fault)
            with pytest.raises((HTTPClientError, ResponseParserError)):
                aws.list_stacks()
            assert fake.count("ListStacks") == reached
            proxy.plan("delay")
            assert aws.list_stacks()["StackSummaries"] == []


class TestOtherServices:
    def test_table(self) -> None:
        services = ScriptedServices()
        denied = ServiceError("AccessDeniedException", "no", status=400)
        found = {"Parameters": [{"Name": "/a", "Type": "String", "Value": "1"}], "InvalidParameters": ["/b"]}
        services.reply("ssm", "GetParameters", denied, found)
        ssm = services.attach(client("ssm"))

        with pytest.raises(ClientError, match="AccessDeniedException"):
            ssm.get_parameters(Names=["/a", "/b"])
        assert ssm.get_parameters(Names=["/a", "/b"])["InvalidParameters"] == ["/b"]
        assert services.attach(client("sts")).get_caller_identity()["Account"] == services.account
        assert services.count("ssm", "GetParameters") == 2
        assert services.calls[0].parameters == {"Names": ["/a", "/b"]}

    def test_protocols(self) -> None:
        services = ScriptedServices()
        services.reply("ec2", "DescribeManagedPrefixLists", {"PrefixLists": [{"PrefixListId": "pl-1"}]})
        services.reply("ecs", "DescribeTasks", {"tasks": [{"taskArn": "t", "stoppedReason": "memory"}]})

        lists = services.attach(client("ec2")).describe_managed_prefix_lists()["PrefixLists"]
        tasks = services.attach(client("ecs")).describe_tasks(tasks=["t"])["tasks"]

        assert lists == [{"PrefixListId": "pl-1"}]
        assert tasks[0]["stoppedReason"] == "memory"
        with pytest.raises(ModelViolation, match="no answer is scripted"):
            services.attach(client("logs")).filter_log_events(logGroupName="x")

    def test_buckets(self) -> None:
        services, buckets = ScriptedServices(), Buckets({"assets": set()})
        buckets.serve(services)
        s3 = services.attach(client("s3"))

        s3.put_object(Bucket="assets", Key="a/b", Body=b"text", IfNoneMatch="*")

        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket="assets", Key="a/b", Body=b"text", IfNoneMatch="*")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Bucket="assets", Key="c", Body=b"", ExpectedBucketOwner="999999999999")
        assert s3.get_object(Bucket="assets", Key="a/b")["Body"].read() == b"text"
        versions = s3.list_object_versions(Bucket="assets")["Versions"]
        s3.delete_objects(Bucket="assets", Delete={"Objects": [{"Key": item["Key"]} for item in versions]})
        assert buckets.contents == {"assets": set()}
