from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from unit.fakes.conftest import Driver, queue, template

NO_CHANGES = "The submitted information didn't contain changes."


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


class TestCreating:
    def test_states(self, driver: Driver) -> None:
        body = json.dumps(template(Orders=queue()))

        made = driver.aws.create_change_set(
            StackName="shop", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=body
        )

        seen = []
        for _ in range(4):
            described = driver.describe(made["Id"])
            seen.append((described["Status"], described["ExecutionStatus"]))
            driver.clock.sleep(1)
        assert seen[0] == ("CREATE_PENDING", "UNAVAILABLE")
        assert seen[1] == ("CREATE_IN_PROGRESS", "UNAVAILABLE")
        assert seen[-1] == ("CREATE_COMPLETE", "AVAILABLE")
        assert driver.status() == "REVIEW_IN_PROGRESS"
        assert "ClientRequestToken" not in driver.aws.describe_stack_events(StackName="shop")["StackEvents"][0]

    def test_a_token_gives_the_same_set_again_and_no_other(self, driver: Driver) -> None:
        request = {
            "StackName": "shop",
            "ChangeSetName": "first",
            "ChangeSetType": "CREATE",
            "TemplateBody": json.dumps(template(Orders=queue())),
        }
        first = driver.aws.create_change_set(**request, ClientToken="t1")

        assert driver.aws.create_change_set(**request, ClientToken="t1")["Id"] == first["Id"]
        code, message = refused(driver.aws.create_change_set, **request, ClientToken="t1", Description="other")
        assert code == "AlreadyExistsException"
        assert "cannot be created due to a mismatch with existing attribute" in message
        assert refused(driver.aws.create_change_set, **request, ClientToken="t2")[0] == "AlreadyExistsException"

    def test_kind_and_status_must_fit(self, driver: Driver) -> None:
        assert "Stack [shop] does not exist" in refused(driver.change_set, template=template(A=queue()))[1]
        driver.change_set(template(A=queue()), "CREATE")
        assert (
            "is in REVIEW_IN_PROGRESS state and can not be updated"
            in refused(driver.change_set, template=template(A=queue()))[1]
        )
        driver.deploy(template(A=queue()), "CREATE")
        assert "already exists" in refused(driver.change_set, template=template(A=queue()), kind="CREATE")[1]

    def test_capabilities(self, driver: Driver) -> None:
        role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "admin"}}

        code, message = refused(
            driver.change_set, template=template(Role=role), kind="CREATE", Capabilities=["CAPABILITY_IAM"]
        )

        assert (code, message) == (
            "InsufficientCapabilitiesException",
            "Requires capabilities : [CAPABILITY_NAMED_IAM]",
        )
        assert driver.deploy(template(Role=role), "CREATE", Capabilities=["CAPABILITY_NAMED_IAM"]) == "CREATE_COMPLETE"

    def test_parameters(self, driver: Driver) -> None:
        with_size = template(A=queue(DelaySeconds={"Ref": "Delay"})) | {"Parameters": {"Delay": {"Type": "Number"}}}

        assert (
            "Parameters: [Delay] must have values" in refused(driver.change_set, template=with_size, kind="CREATE")[1]
        )
        previous = [{"ParameterKey": "Delay", "UsePreviousValue": True}]
        assert (
            "usePreviousValue" in refused(driver.change_set, template=with_size, kind="CREATE", Parameters=previous)[1]
        )
        unknown = [{"ParameterKey": "Other", "ParameterValue": "1"}]
        assert (
            "[Other] do not exist in the template"
            in refused(driver.change_set, template=with_size, kind="CREATE", Parameters=unknown)[1]
        )
        given = [{"ParameterKey": "Delay", "ParameterValue": "5"}]
        driver.deploy(with_size, "CREATE", Parameters=given)
        same = driver.change_set(with_size, Parameters=previous)
        assert driver.describe(same)["StatusReason"].startswith(NO_CHANGES)

    def test_parameters_of_ssm(self, driver: Driver) -> None:
        kind = "AWS::SSM::Parameter::Value<String>"
        with_image = template(A=queue(Tag={"Ref": "Image"}))
        with_image["Parameters"] = {"Image": {"Type": kind, "Default": "/image"}}

        assert (
            "Unable to fetch parameters [/image]" in refused(driver.change_set, template=with_image, kind="CREATE")[1]
        )
        driver.fake.world.ssm["/image"] = "v1"
        driver.deploy(with_image, "CREATE")
        driver.fake.world.ssm["/image"] = "v2"

        assert driver.changes(driver.change_set(with_image))["A"]["Details"][0]["Target"]["AfterValue"] == "v2"

    def test_size(self, driver: Driver) -> None:
        large = template(A=queue(Text="x" * 52_000))

        assert "templateBody" in refused(driver.change_set, template=large, kind="CREATE")[1]
        driver.fake.upload("https://bucket/large.json", json.dumps(large))
        made = driver.aws.create_change_set(
            StackName="shop", ChangeSetName="s", ChangeSetType="CREATE", TemplateURL="https://bucket/large.json"
        )
        assert ":changeSet/s/" in made["Id"]

    def test_early_validation(self, driver: Driver) -> None:
        driver.deploy(template(A=queue("orders")), "CREATE")

        change_set = driver.change_set(template(B=queue("orders")), "CREATE", "other")

        described = driver.describe(change_set)
        assert described["Status"] == "FAILED"
        assert "AWS::EarlyValidation::" in described["StatusReason"]
        assert "DescribeEvents API" in described["StatusReason"]
        found = driver.aws.describe_events(ChangeSetName=change_set, Filters={"FailedEvents": True})
        (event,) = found["OperationEvents"]
        assert event["ValidationPath"] == "/Resources/B/Properties/QueueName"
        assert "already exists" in event["ValidationStatusReason"]
        skipped = driver.change_set(template(B=queue("orders")), "CREATE", "other", DisableValidation=True)
        assert driver.describe(skipped)["Status"] == "CREATE_COMPLETE"


class TestChanges:
    def test_replacement_and_its_reach(self, driver: Driver) -> None:
        before = template(A=queue("one"), B=queue(Target={"Ref": "A"}), C=queue("three"))
        driver.deploy(before, "CREATE")

        changes = driver.changes(driver.change_set(template(A=queue("two"), B=queue(Target={"Ref": "A"}))))

        assert changes["A"]["Replacement"] == "True"
        assert changes["A"]["PolicyAction"] == "ReplaceAndDelete"
        target = changes["A"]["Details"][0]["Target"]
        assert (target["BeforeValue"], target["AfterValue"], target["Path"]) == ("one", "two", "/Properties/QueueName")
        assert changes["B"]["Details"][0]["Evaluation"] == "Dynamic"
        assert changes["B"]["Details"][0]["CausingEntity"] == "A"
        assert (changes["C"]["Action"], changes["C"]["PolicyAction"]) == ("Remove", "Delete")

    def test_values_only_on_request(self, driver: Driver) -> None:
        driver.deploy(template(A=queue(Delay=1)), "CREATE")
        change_set = driver.change_set(template(A=queue(Delay=2)))

        plain = driver.describe(change_set)["Changes"][0]["ResourceChange"]

        assert "BeforeContext" not in plain
        assert "AfterValue" not in plain["Details"][0]["Target"]

    def test_incomplete_values(self, driver: Driver) -> None:
        change_set = driver.change_set(template(A=queue(), B=queue()), "CREATE")
        driver.fake.world.incomplete_property_values = True

        with_values = driver.describe(change_set, IncludePropertyValues=True)

        assert len(with_values["Changes"]) == 1
        assert with_values["StatusReason"].startswith("[WARN] --include-property-values option")
        assert len(driver.describe(change_set)["Changes"]) == 2

    def test_pages(self, driver: Driver) -> None:
        driver.fake.world.page_size = 2
        change_set = driver.change_set(template(A=queue(), B=queue(), C=queue()), "CREATE")

        first = driver.describe(change_set)
        second = driver.describe(change_set, NextToken=first["NextToken"])

        assert (len(first["Changes"]), len(second["Changes"])) == (2, 1)
        assert "NextToken" not in second

    def test_only_outputs_or_tags(self, driver: Driver) -> None:
        driver.deploy(template(A=queue()), "CREATE")
        with_output = template(A=queue()) | {"Outputs": {"Name": {"Value": {"Ref": "A"}}}}

        outputs = driver.describe(driver.change_set(with_output))
        tags = driver.describe(driver.change_set(template(A=queue()), Tags=[{"Key": "team", "Value": "shop"}]))

        assert (outputs["Status"], outputs["Changes"]) == ("CREATE_COMPLETE", [])
        assert (tags["Status"], tags["Changes"]) == ("CREATE_COMPLETE", [])

    def test_nothing(self, driver: Driver) -> None:
        driver.deploy(template(A=queue()), "CREATE")
        with_transform = template(A=queue()) | {"Transform": "AWS::LanguageExtensions"}

        plain, transformed = (
            driver.describe(driver.change_set(item)) for item in (template(A=queue()), with_transform)
        )

        assert plain["StatusReason"].startswith(NO_CHANGES)
        assert transformed["StatusReason"] == "No updates are to be performed."
        assert (plain["Status"], plain["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")


class TestExecuting:
    def test_only_once(self, driver: Driver) -> None:
        change_set = driver.change_set(template(A=queue()), "CREATE")
        driver.aws.execute_change_set(ChangeSetName=change_set, ClientRequestToken="t")

        code, message = refused(driver.aws.execute_change_set, ChangeSetName=change_set, ClientRequestToken="t")

        assert code == "InvalidChangeSetStatus"
        assert "EXECUTE_IN_PROGRESS" in message
        driver.fake.settle()
        assert driver.describe(change_set)["ExecutionStatus"] == "EXECUTE_COMPLETE"

    def test_others_become_obsolete(self, driver: Driver) -> None:
        driver.deploy(template(A=queue()), "CREATE")
        loser, winner = (driver.change_set(template(A=queue(Delay=delay))) for delay in (1, 2))

        driver.aws.execute_change_set(ChangeSetName=winner)
        driver.fake.settle()

        assert driver.describe(loser)["ExecutionStatus"] == "OBSOLETE"
        assert refused(driver.aws.execute_change_set, ChangeSetName=loser)[0] == "InvalidChangeSetStatus"

    def test_not_before_it_is_ready_nor_after_it_is_gone(self, driver: Driver) -> None:
        made = driver.aws.create_change_set(
            StackName="shop", ChangeSetName="s", ChangeSetType="CREATE", TemplateBody=json.dumps(template(A=queue()))
        )
        assert "CREATE_PENDING" in refused(driver.aws.execute_change_set, ChangeSetName=made["Id"])[1]
        driver.clock.sleep(5)
        driver.aws.delete_change_set(ChangeSetName=made["Id"])

        code, message = refused(driver.aws.execute_change_set, ChangeSetName=made["Id"])

        assert (code, message) == ("ChangeSetNotFound", f"ChangeSet [{made['Id']}] does not exist")
        assert driver.status() == "REVIEW_IN_PROGRESS"

    def test_two_ways_to_say_what_a_failure_does(self, driver: Driver) -> None:
        change_set = driver.change_set(template(A=queue()), "CREATE", OnStackFailure="DO_NOTHING")

        refused(driver.aws.execute_change_set, ChangeSetName=change_set, DisableRollback=True)

    def test_import(self, driver: Driver) -> None:
        driver.deploy(template(A=queue()), "CREATE")
        driver.fake.world.store.physical["old-orders"] = "AWS::SQS::Queue"
        adopted = queue("old-orders") | {"DeletionPolicy": "Retain"}
        wanted = {"ResourceType": "AWS::SQS::Queue", "LogicalResourceId": "Old"}
        wanted["ResourceIdentifier"] = {"QueueName": "old-orders"}  # type: ignore[assignment]

        status = driver.deploy(template(A=queue(), Old=adopted), "IMPORT", ResourcesToImport=[wanted])

        assert status == "IMPORT_COMPLETE"
        assert driver.physical("Old") == "old-orders"
        missing = wanted | {"ResourceIdentifier": {"QueueName": "nowhere"}, "LogicalResourceId": "New"}
        failed = driver.change_set(
            template(A=queue(), Old=adopted, New=queue("nowhere") | {"DeletionPolicy": "Retain"}),
            "IMPORT",
            ResourcesToImport=[missing],
        )
        assert driver.describe(failed)["Status"] == "FAILED"
