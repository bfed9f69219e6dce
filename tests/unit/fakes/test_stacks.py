from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from unit.fakes.conftest import Driver, queue, template

STACK = "AWS::CloudFormation::Stack"
CHILD_URL = "https://bucket/child.json"


def message(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Message"])


class TestForward:
    def test_create_in_order(self, driver: Driver) -> None:
        driver.fake.script("A", takes=60)

        status = driver.deploy(template(B=queue(Target={"Ref": "A"}), A=queue()), "CREATE", token="mine")  # noqa: S106 - an idempotency token

        assert status == "CREATE_COMPLETE"
        events = driver.events()
        assert events.index(("A", "CREATE_COMPLETE")) < events.index(("B", "CREATE_IN_PROGRESS"))
        newest = driver.aws.describe_stack_events(StackName="shop")["StackEvents"][0]
        assert (newest["ResourceStatus"], newest["ClientRequestToken"]) == ("CREATE_COMPLETE", "mine")

    def test_replacement_is_cleaned_up_last(self, driver: Driver) -> None:
        driver.deploy(template(A=queue("one")), "CREATE")

        assert driver.deploy(template(A=queue("two"))) == "UPDATE_COMPLETE"

        events = driver.events()
        cleaning = events.index(("shop", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"))
        assert cleaning < events.index(("A", "DELETE_COMPLETE"))
        assert set(driver.fake.world.store.physical) == {"two"}

    def test_clean_up_that_fails_is_skipped(self, driver: Driver) -> None:
        driver.deploy(template(A=queue(), B=queue()), "CREATE")
        driver.fake.script("B", "DELETE", fails="in use")

        assert driver.deploy(template(A=queue())) == "UPDATE_COMPLETE"
        assert ("B", "DELETE_FAILED") in driver.events()
        assert "could not be deleted" in driver.stack()["StackStatusReason"]

    def test_outputs_exports_and_who_uses_them(self, driver: Driver) -> None:
        exporting = template(A=queue("orders"))
        exporting["Outputs"] = {"Name": {"Value": {"Fn::Sub": "${A}-x"}, "Export": {"Name": "orders"}}}
        driver.deploy(exporting, "CREATE")
        importing = template(B=queue(Peer={"Fn::ImportValue": "orders"}))
        driver.deploy(importing, "CREATE", "other")

        assert driver.stack()["Outputs"] == [
            {"OutputKey": "Name", "OutputValue": "orders-x", "ExportName": "orders"},
        ]
        assert driver.aws.list_imports(ExportName="orders")["Imports"] == ["other"]
        assert driver.deploy(template(A=queue("orders"))) == "UPDATE_ROLLBACK_COMPLETE"
        events = driver.aws.describe_stack_events(StackName="shop")["StackEvents"]
        reasons = [item.get("ResourceStatusReason", "") for item in events]
        assert any("Export orders cannot be deleted as it is in use by other" in reason for reason in reasons)
        driver.aws.delete_stack(StackName="shop")
        driver.fake.settle()
        assert driver.status() == "DELETE_FAILED"
        missing = driver.change_set(template(B=queue(Peer={"Fn::ImportValue": "nowhere"})), "CREATE", "third")
        assert "No export named nowhere found" in driver.describe(missing)["StatusReason"]

    def test_stack_policy(self, driver: Driver) -> None:
        driver.deploy(template(A=queue()), "CREATE")
        allow = {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}
        deny = {"Effect": "Deny", "Action": "Update:*", "Principal": "*", "Resource": "LogicalResourceId/A"}
        driver.aws.set_stack_policy(StackName="shop", StackPolicyBody=json.dumps({"Statement": [allow, deny]}))

        assert driver.deploy(template(A=queue(Delay=1))) == "UPDATE_ROLLBACK_COMPLETE"
        resources = driver.aws.describe_stack_events(StackName="shop")["StackEvents"]
        assert any("Action denied by stack policy" in item.get("ResourceStatusReason", "") for item in resources)


class TestFailing:
    def test_create_rolls_back(self, driver: Driver) -> None:
        driver.fake.script("A", fails="boom")
        driver.fake.script("B", takes=100)

        assert driver.deploy(template(A=queue(), B=queue()), "CREATE") == "ROLLBACK_COMPLETE"
        events = driver.aws.describe_stack_events(StackName="shop")["StackEvents"]
        reasons = {item.get("ResourceStatusReason") for item in events}
        assert {"boom", "Resource creation cancelled"} <= reasons
        assert driver.fake.world.store.physical == {}
        assert "can not be updated" in message(driver.change_set, template=template(A=queue()))

    @pytest.mark.parametrize(("choice", "status"), [("DO_NOTHING", "CREATE_FAILED"), ("DELETE", "DELETE_COMPLETE")])
    def test_other_ends_of_a_create(self, driver: Driver, choice: str, status: str) -> None:
        driver.fake.script("A", fails="boom")

        assert driver.deploy(template(A=queue(), B=queue()), "CREATE", OnStackFailure=choice) == status

    def test_rollback_of_a_failed_create(self, driver: Driver) -> None:
        driver.fake.script("A", fails="boom", times=1)
        driver.deploy(template(A=queue(), B=queue()), "CREATE", DisableRollback=True)
        assert driver.deploy(template(A=queue(), B=queue())) == "UPDATE_COMPLETE"

        driver.fake.script("A", fails="boom")
        driver.deploy(template(A=queue()), "CREATE", "other", DisableRollback=True)
        driver.aws.rollback_stack(StackName="other")
        driver.fake.settle()
        assert driver.status("other") == "DELETE_COMPLETE"

    def test_retain_except_on_create(self, driver: Driver) -> None:
        driver.fake.script("B", fails="boom")
        kept = queue("data") | {"DeletionPolicy": "Retain"}
        both = template(A=kept, B=queue(Target={"Ref": "A"}))

        driver.deploy(both, "CREATE", RetainExceptOnCreate=True)
        assert driver.fake.world.store.physical == {}
        driver.deploy(both, "CREATE", "other")
        assert set(driver.fake.world.store.physical) == {"data"}

    def test_update_rolls_back_to_what_was(self, driver: Driver) -> None:
        driver.deploy(template(A=queue("one"), B=queue(Delay=1)), "CREATE")
        driver.fake.script("C", fails="boom")

        status = driver.deploy(template(A=queue("two"), B=queue(Delay=2), C=queue(Target={"Ref": "A"})), token="t2")  # noqa: S106 - an idempotency token

        assert status == "UPDATE_ROLLBACK_COMPLETE"
        assert driver.fake.stack("shop").resources["B"].properties == {"Delay": 1}
        assert driver.physical("A") == "one"
        assert "two" not in driver.fake.world.store.physical
        events = driver.aws.describe_stack_events(StackName="shop")["StackEvents"]
        assert len({item["OperationId"] for item in events if item.get("ClientRequestToken") == "t2"}) == 2
        assert driver.deploy(template(A=queue("three"))) == "UPDATE_COMPLETE"

    def test_stuck_rollback(self, driver: Driver) -> None:
        driver.deploy(template(A=queue(Delay=1)), "CREATE")
        driver.fake.script("A", "UPDATE", fails="no")
        driver.fake.script("A", "ROLLBACK", fails="still no", times=2)
        assert driver.deploy(template(A=queue(Delay=2))) == "UPDATE_ROLLBACK_FAILED"

        driver.aws.continue_update_rollback(StackName="shop")
        driver.fake.settle()
        assert driver.status() == "UPDATE_ROLLBACK_FAILED"
        assert "cannot be skipped" in message(
            driver.aws.continue_update_rollback, StackName="shop", ResourcesToSkip=["B"]
        )
        driver.aws.continue_update_rollback(StackName="shop", ResourcesToSkip=["A"])
        driver.fake.settle()
        assert driver.status() == "UPDATE_ROLLBACK_COMPLETE"

    def test_cancelling_an_update(self, driver: Driver) -> None:
        driver.deploy(template(A=queue(Delay=1)), "CREATE")
        driver.fake.script("A", "UPDATE", hangs=True)
        driver.aws.execute_change_set(ChangeSetName=driver.change_set(template(A=queue(Delay=2))))
        driver.clock.sleep(60)
        assert driver.status() == "UPDATE_IN_PROGRESS"
        assert "can not be updated" in message(driver.change_set, template=template(A=queue(Delay=3)))

        driver.aws.cancel_update_stack(StackName="shop")

        assert driver.status() == "UPDATE_ROLLBACK_IN_PROGRESS"
        driver.fake.settle(3_600)
        assert driver.status() == "UPDATE_ROLLBACK_COMPLETE"


class TestNested:
    def parent(self, driver: Driver, **child: Any) -> dict[str, Any]:
        driver.fake.upload(CHILD_URL, json.dumps(template(Inner=queue(**child))))
        return template(Child={"Type": STACK, "Properties": {"TemplateURL": CHILD_URL}})

    def test_failure_is_told_by_the_parent(self, driver: Driver) -> None:
        driver.fake.script("Inner", fails="boom")

        assert driver.deploy(self.parent(driver), "CREATE") == "ROLLBACK_COMPLETE"
        events = driver.aws.describe_stack_events(StackName="shop")["StackEvents"]
        (failed,) = [item for item in events if item["ResourceStatus"] == "CREATE_FAILED"]
        assert failed["ResourceStatusReason"].startswith(f"Embedded stack {failed['PhysicalResourceId']} was not")
        inner = driver.events(failed["PhysicalResourceId"])
        assert ("Inner", "CREATE_FAILED") in inner
        assert inner[-1][1] == "DELETE_COMPLETE"

    def test_update_and_its_rollback(self, driver: Driver) -> None:
        driver.deploy(self.parent(driver, Delay=1), "CREATE")
        child = driver.physical("Child")
        assert driver.stack(child)["ParentId"] == driver.stack()["StackId"]
        driver.fake.script("Inner", "UPDATE", fails="boom", times=1)

        assert driver.deploy(self.parent(driver, Delay=2)) == "UPDATE_ROLLBACK_COMPLETE"
        assert driver.status(child) == "UPDATE_ROLLBACK_COMPLETE"
        assert driver.deploy(self.parent(driver, Delay=2)) == "UPDATE_COMPLETE"
        assert driver.status(child) == "UPDATE_COMPLETE"
        assert driver.fake.stack(child).resources["Inner"].properties == {"Delay": 2}

    def test_change_sets(self, driver: Driver) -> None:
        driver.deploy(self.parent(driver, Delay=1), "CREATE")

        root = driver.change_set(self.parent(driver, Delay=2), IncludeNestedStacks=True)

        inner = driver.describe(driver.changes(root)["Child"]["ChangeSetId"])
        assert inner["RootChangeSetId"] == root
        assert inner["Changes"][0]["ResourceChange"]["LogicalResourceId"] == "Inner"
        driver.aws.execute_change_set(ChangeSetName=root)
        driver.fake.settle()
        same = driver.change_set(self.parent(driver, Delay=2), IncludeNestedStacks=True)
        assert driver.describe(same)["Status"] == "FAILED"


class TestDeleting:
    def test_only_by_id_afterwards(self, driver: Driver) -> None:
        driver.deploy(template(A=queue()), "CREATE")
        stack_id = driver.stack()["StackId"]
        driver.aws.update_termination_protection(StackName="shop", EnableTerminationProtection=True)
        assert "cannot be deleted while TerminationProtection is enabled" in message(
            driver.aws.delete_stack, StackName="shop"
        )
        driver.aws.update_termination_protection(StackName="shop", EnableTerminationProtection=False)

        driver.aws.delete_stack(StackName="shop", ClientRequestToken="bye")
        driver.fake.settle()

        assert message(driver.aws.describe_stacks, StackName="shop") == "Stack with id shop does not exist"
        assert driver.stack(stack_id)["StackStatus"] == "DELETE_COMPLETE"
        driver.aws.delete_stack(StackName="shop")
        assert driver.deploy(template(A=queue()), "CREATE") == "CREATE_COMPLETE"
        assert driver.stack()["StackId"] != stack_id

    def test_what_refuses(self, driver: Driver) -> None:
        driver.deploy(template(A={"Type": "AWS::S3::Bucket"}, B=queue()), "CREATE")
        bucket = driver.physical("A")
        driver.fake.world.bucket_contents[bucket] = {"key"}
        assert "RetainResources" in message(driver.aws.delete_stack, StackName="shop", RetainResources=["A"])
        driver.aws.delete_stack(StackName="shop")
        driver.fake.settle()
        assert driver.status() == "DELETE_FAILED"

        driver.aws.delete_stack(StackName="shop", RetainResources=["A"])
        driver.fake.settle()

        assert driver.status() == "DELETE_COMPLETE"
        assert set(driver.fake.world.store.physical) == {bucket}

    def test_a_create_can_be_cut_short(self, driver: Driver) -> None:
        driver.fake.script("A", hangs=True)
        driver.aws.execute_change_set(ChangeSetName=driver.change_set(template(A=queue()), "CREATE"))
        driver.clock.sleep(60)

        driver.aws.delete_stack(StackName="shop")
        driver.fake.settle(3_600)

        assert driver.status() == "DELETE_COMPLETE"


class TestDriftAndRefactor:
    def test_drift_and_its_repair(self, driver: Driver) -> None:
        driver.deploy(template(A=queue(Delay=1), B=queue()), "CREATE")
        driver.fake.drift("shop", "A", Delay=9)
        detection = driver.aws.detect_stack_drift(StackName="shop")
        driver.clock.sleep(10)
        found = driver.aws.describe_stack_drift_detection_status(
            StackDriftDetectionId=detection["StackDriftDetectionId"]
        )
        assert (found["StackDriftStatus"], found["DriftedStackResourceCount"]) == ("DRIFTED", 1)
        (drift,) = driver.aws.describe_stack_resource_drifts(
            StackName="shop", StackResourceDriftStatusFilters=["MODIFIED", "DELETED"]
        )["StackResourceDrifts"]
        assert drift["PropertyDifferences"][0]["ActualValue"] == "9"

        assert driver.deploy(template(A=queue(Delay=1), B=queue()), DeploymentMode="REVERT_DRIFT") == "UPDATE_COMPLETE"
        assert driver.fake.stack("shop").resources["A"].actual is None

    def test_rename(self, driver: Driver) -> None:
        driver.deploy(template(Old=queue("orders")), "CREATE")
        refactor = driver.aws.create_stack_refactor(
            StackDefinitions=[{"StackName": "shop", "TemplateBody": json.dumps(template(New=queue("orders")))}]
        )["StackRefactorId"]
        driver.clock.sleep(5)
        (action,) = driver.aws.list_stack_refactor_actions(StackRefactorId=refactor)["StackRefactorActions"]
        assert action["ResourceMapping"]["Destination"] == {"StackName": "shop", "LogicalResourceId": "New"}

        driver.aws.execute_stack_refactor(StackRefactorId=refactor)
        driver.fake.settle()

        assert driver.physical("New") == "orders"
        assert driver.aws.describe_stack_refactor(StackRefactorId=refactor)["ExecutionStatus"] == "EXECUTE_COMPLETE"

    def test_stack_set(self, driver: Driver) -> None:
        driver.fake.world.instance_failures["222222222222", "eu-west-1"] = "no role"
        body = json.dumps(template(A=queue()))
        driver.aws.create_stack_set(StackSetName="base", TemplateBody=body)
        accounts = ["111111111111", "222222222222"]
        operation = driver.aws.create_stack_instances(StackSetName="base", Accounts=accounts, Regions=["eu-west-1"])
        assert "in progress" in message(driver.aws.update_stack_set, StackSetName="base", UsePreviousTemplate=True)
        driver.fake.settle()
        where = {"StackSetName": "base", "OperationId": operation["OperationId"]}

        assert driver.aws.describe_stack_set_operation(**where)["StackSetOperation"]["Status"] == "FAILED"
        results = driver.aws.list_stack_set_operation_results(**where)["Summaries"]
        assert [item["Status"] for item in results] == ["SUCCEEDED", "FAILED"]
        assert "not empty" in message(driver.aws.delete_stack_set, StackSetName="base")
