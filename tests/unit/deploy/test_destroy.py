"""Stacks go in order, and nothing goes that somebody wants to keep."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.config import Config

from archlib.core.artifact import StackArtifact
from archlib.core.target import Target
from archlib.deploy.aws import Identity
from archlib.deploy.deployer import Deployer
from archlib.deploy.destroy import destroy, destroy_plan
from archlib.deploy.existing import StackName, find
from archlib.deploy.run import Options
from archlib.errors import GuardError, InterruptError, SettingsError, StaleError, StuckError
from deploying import ACCOUNT, Bench, FakeAws, artifact, queue, session, table
from fakes import FakeCloudFormation, attach
from fakes.services import Buckets, ScriptedServices


def chain() -> tuple[StackArtifact, StackArtifact]:
    data = artifact("shop-dev-data", outputs={"JobsUrl": {"Ref": "Jobs"}})
    return data, artifact("shop-dev-code", needs={"JobsUrl": ("shop-dev-data", "JobsUrl")})


def exported() -> tuple[StackArtifact, StackArtifact]:
    data = artifact("a-data")
    outputs = {"Url": {"Value": {"Ref": "Jobs"}, "Export": {"Name": "a-data:Url"}}}
    code = artifact("b-code", More=queue(KmsMasterKeyId={"Fn::ImportValue": "a-data:Url"}))
    data = replace(data, template={**data.template, "Outputs": outputs})
    return data, replace(code, depends_on=frozenset({"a-data"}))


def deleted(bench: Bench) -> list[str]:
    return [call.parameters["StackName"].split("/")[1] for call in bench.fake.calls if call.operation == "DeleteStack"]


@pytest.mark.parametrize("by_name", [False, True])
def test_those_that_need_others_go_first(bench: Bench, *, by_name: bool) -> None:
    stacks = chain()
    bench.deploy(*stacks)

    done = destroy(bench.deployer(), [StackName(each.name) for each in stacks] if by_name else stacks)

    assert deleted(bench) == ["shop-dev-code", "shop-dev-data"]
    assert {name: result.action for name, result in done.results.items()} == {
        "shop-dev-code": "deleted",
        "shop-dev-data": "deleted",
    }
    assert bench.status("shop-dev-data") == "DELETE_COMPLETE"


def test_by_name_the_order_comes_from_exports_too(bench: Bench) -> None:
    data, code = exported()
    bench.deploy(data, code)

    destroy(bench.deployer(), [StackName("a-data"), StackName("b-code")])

    assert deleted(bench) == ["b-code", "a-data"]


def test_values_that_are_equal_by_chance_do_not_stop_it(bench: Bench) -> None:
    mine: Any = {"parameters": {"Size": {"Type": "String", "Default": "1"}}, "outputs": {"Size": "1"}}
    bench.deploy(artifact("one", **mine), artifact("two", **mine))

    done = destroy(bench.deployer(), [StackName("one"), StackName("two")])

    assert [result.action for result in done.results.values()] == ["deleted", "deleted"]


def test_what_is_gone_counts_as_done(bench: Bench) -> None:
    done = destroy(bench.deployer(), chain())

    assert [result.action for result in done.results.values()] == ["absent", "absent"]
    assert bench.fake.count("DeleteStack") == 0


def test_the_plan_tells_what_goes_what_stays_and_what_is_lost(bench: Bench) -> None:
    stack = artifact(Orders=table(), Jobs=queue(), Copies={**table(), "DeletionPolicy": "Snapshot"})
    bench.deploy(stack)
    calls = len(bench.fake.calls)

    plan = destroy_plan(bench.deployer(), [stack, artifact("shop-dev-other")])

    mine = next(each for each in plan.stacks if each.stack == "shop-dev-data")
    other = next(each for each in plan.stacks if each.stack == "shop-dev-other")
    assert mine.action == "delete"
    assert {(change.resource, change.policy) for change in mine.changes} == {("Jobs", "Delete"), ("Copies", "Snapshot")}
    assert mine.losses == ("Jobs",)
    orders = bench.fake.stack("shop-dev-data").resources["Orders"].physical_id
    assert any(note.startswith(f"Orders (AWS::DynamoDB::Table, {orders}): stays") for note in mine.notes)
    assert (other.action, other.changes, other.notes) == ("none", (), ("it does not exist",))
    assert all(call.operation.startswith(("Describe", "Get", "List")) for call in bench.fake.calls[calls:])
    assert plan.app == "shop"
    assert "stays" in plan.to_text()


def test_the_plan_names_stacks_of_others_that_are_in_the_way(bench: Bench) -> None:
    data, code = exported()
    bench.deploy(data, code)

    plan = destroy_plan(bench.deployer(), [data])

    told = "cannot be deleted while b-code import a-data:Url; first deploy them without it, or destroy them"
    assert told in plan.stacks[0].notes
    with pytest.raises(GuardError, match=f"stack 'a-data': {told}"):
        destroy(bench.deployer(), [data])
    assert bench.fake.count("DeleteStack") == 0


def bucket(name: str, **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", **more, "Properties": {"BucketName": name}}


@pytest.fixture
def filled(bench: Bench) -> Bench:
    """A bench with a stack that has two buckets with something in them, and an export."""
    stack = artifact("shop-dev-files", Uploads=bucket("uploads"), Logs=bucket("logs"))
    outputs = {"Name": {"Value": "x", "Export": {"Name": "files"}}}
    bench.deploy(replace(stack, template={**stack.template, "Outputs": outputs}))
    bench.fake.world.bucket_contents.update(uploads={"a", "b"}, logs={"c"})
    services = ScriptedServices()
    Buckets(bench.fake.world.bucket_contents).serve(services)
    services.reply("s3", "ListMultipartUploads", {"Uploads": []})
    bench.others = {"s3": services.attach(session().client("s3"))}
    return bench


FILES = StackName("shop-dev-files")


def test_a_bucket_that_is_not_empty_is_told_before_anything_goes(filled: Bench) -> None:
    filled.deploy(artifact())

    with pytest.raises(GuardError) as caught:
        destroy(filled.deployer(), [StackName("shop-dev-data"), FILES])

    advice = "to delete all that is in it: archlib destroy --empty-buckets, or to keep it: --retain"
    assert {problem.message for problem in caught.value.problems} == {
        f"stack 'shop-dev-files': bucket 'uploads' (Uploads) is not empty; {advice} Uploads",
        f"stack 'shop-dev-files': bucket 'logs' (Logs) is not empty; {advice} Logs",
    }
    assert filled.fake.count("DeleteStack") == 0


def test_what_is_retained_is_not_emptied(filled: Bench) -> None:
    plan = destroy_plan(filled.deployer(), [FILES], empty_buckets=True, retain=("Uploads",))
    done = destroy(filled.deployer(), [FILES], empty_buckets=True, retain=("Uploads",))

    emptied = [note for note in plan.stacks[0].notes if "everything" in note]
    assert emptied == ["Logs (logs): everything in it is deleted"]
    assert filled.fake.world.bucket_contents["uploads"] == {"a", "b"}
    assert not filled.fake.world.bucket_contents["logs"]
    assert done.results["shop-dev-files"].left == ("Uploads (AWS::S3::Bucket, uploads)",)


@pytest.mark.parametrize("retain", [(), ("Inner",)])
def test_what_is_nested_is_emptied_unless_its_stack_is_retained(filled: Bench, retain: tuple[str, ...]) -> None:
    filled.fake.upload("inner", json.dumps({"Resources": {"Deep": bucket("deep")}}))
    filled.deploy(artifact(Inner={"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "inner"}}))
    filled.fake.world.bucket_contents["deep"] = {"a"}
    stacks = [StackName("shop-dev-data")]

    with pytest.raises(GuardError, match=r"bucket 'deep' \(Inner/Deep\) is not empty; .* --retain Inner"):
        destroy(filled.deployer(), stacks)
    plan = destroy_plan(filled.deployer(), stacks, empty_buckets=True, retain=retain)
    done = destroy(filled.deployer(), stacks, empty_buckets=True, retain=retain)

    assert plan.losses == ("Inner/Deep",)
    assert ("Inner/Deep (deep): everything in it is deleted" in plan.stacks[0].notes) is not bool(retain)
    assert filled.fake.world.bucket_contents["deep"] == ({"a"} if retain else set())
    assert len(done.results["shop-dev-data"].left) == len(retain)


def test_what_arrives_while_the_rest_goes_is_emptied_too(filled: Bench) -> None:
    refill = {"logs": {"late"}}
    filled.recorder.listener = lambda report: (
        "Logs (logs): emptied" in getattr(report, "text", "")
        and refill
        and filled.fake.world.bucket_contents.update([refill.popitem()])
    )

    done = destroy(filled.deployer(), [FILES], empty_buckets=True)

    assert done.results["shop-dev-files"].action == "deleted"
    assert not refill
    assert filled.fake.count("DeleteStack") == 2


def test_the_plan_tells_protection(bench: Bench) -> None:
    bench.deploy(artifact(), target=Target(protected=True), options=Options(confirmed=True))

    plan = destroy_plan(bench.deployer(), [artifact()])

    assert "termination protection is on" in plan.stacks[0].notes


def test_force_leaves_what_is_not_empty(filled: Bench) -> None:
    done = destroy(filled.deployer(), [FILES], force=True)

    assert filled.fake.world.bucket_contents["uploads"] == {"a", "b"}
    assert len(done.results["shop-dev-files"].left) == 2


@pytest.mark.parametrize("definitions", [{}, {"Uploads": bucket("uploads", DeletionPolicy={"Ref": "Policy"})}])
def test_what_the_real_template_does_not_tell_is_not_emptied(filled: Bench, definitions: Any) -> None:
    call = filled.fake.call

    def processed(operation: str, parameters: Any, **how: Any) -> Any:
        answer = call(operation, parameters, **how)
        if operation == "GetTemplate" and parameters["TemplateStage"] == "Processed":
            answer["TemplateBody"] = json.dumps({"Resources": {"Logs": bucket("logs"), **definitions}})
        return answer

    filled.fake.call = processed  # type: ignore[method-assign]

    plan = destroy_plan(filled.deployer(), [FILES], empty_buckets=True)
    with pytest.raises(StuckError):
        destroy(filled.deployer(), [FILES], empty_buckets=True)

    assert any(
        note.startswith("Uploads (AWS::S3::Bucket, uploads): the stack's template") for note in plan.stacks[0].notes
    )
    assert "Uploads" in plan.losses
    assert filled.fake.world.bucket_contents["uploads"] == {"a", "b"}
    assert not filled.fake.world.bucket_contents["logs"]


@pytest.mark.parametrize("later", [False, True])
def test_nothing_is_emptied_while_others_import_from_its_stack(filled: Bench, *, later: bool) -> None:
    user = artifact("other", Q=queue(QueueName={"Fn::ImportValue": "files"}))
    stacks = [FILES]
    if later:
        filled.deploy(artifact("shop-dev-app", needs={"Name": ("shop-dev-files", "Name")}))
        filled.fake.script("Jobs", "DELETE", takes=600, stack="shop-dev-app")
        filled.fake.outsider(filled.clock.now() + 100, lambda: make(filled, "other", user.template["Resources"]))
        stacks.append(StackName("shop-dev-app"))
    else:
        filled.deploy(user)

    with pytest.raises(GuardError, match="cannot be deleted while other import files"):
        destroy(filled.deployer(), stacks, empty_buckets=True)

    assert filled.fake.world.bucket_contents == {"uploads": {"a", "b"}, "logs": {"c"}}


def make(bench: Bench, name: str, resources: Any) -> None:
    """Let somebody else make a stack."""
    request = {"StackName": name, "ChangeSetName": "theirs"}
    template = json.dumps({"Resources": resources})
    bench.fake.call("CreateChangeSet", {**request, "ChangeSetType": "CREATE", "TemplateBody": template})
    bench.fake.outsider(bench.clock.now() + 50, lambda: bench.fake.call("ExecuteChangeSet", request))


def test_protection_that_is_switched_on_meanwhile_holds(bench: Bench) -> None:
    stacks = chain()
    bench.deploy(*stacks)
    bench.fake.script("Jobs", "DELETE", takes=600, stack="shop-dev-code")
    protect = {"StackName": "shop-dev-data", "EnableTerminationProtection": True}
    bench.fake.outsider(bench.clock.now() + 100, lambda: bench.fake.call("UpdateTerminationProtection", protect))

    with pytest.raises(GuardError, match="'shop-dev-data': termination protection is on"):
        destroy(bench.deployer(), stacks)

    assert bench.status("shop-dev-data") == "CREATE_COMPLETE"
    assert bench.fake.stack("shop-dev-data").protected


def test_a_stack_that_somebody_made_anew_meanwhile_is_kept(bench: Bench) -> None:
    stacks = chain()
    bench.deploy(*stacks)
    bench.fake.script("Jobs", "DELETE", takes=900, stack="shop-dev-code")
    now = bench.clock.now()
    bench.fake.outsider(now + 50, lambda: bench.fake.call("DeleteStack", {"StackName": "shop-dev-data"}))
    bench.fake.outsider(now + 200, lambda: make(bench, "shop-dev-data", {"Orders": table()}))

    with pytest.raises(StaleError, match="somebody else made it meanwhile"):
        destroy(bench.deployer(), stacks)

    assert bench.status("shop-dev-data") == "CREATE_COMPLETE"


def test_a_stack_that_was_not_there_before_is_kept(bench: Bench) -> None:
    bench.deploy(artifact("shop-dev-first"))
    bench.fake.script("Jobs", "DELETE", takes=600, stack="shop-dev-first")
    bench.fake.outsider(bench.clock.now() + 50, lambda: make(bench, "shop-dev-late", {"Orders": table()}))
    first = replace(artifact("shop-dev-first"), depends_on=frozenset({"shop-dev-late"}))

    with pytest.raises(StaleError):
        destroy(bench.deployer(), [artifact("shop-dev-late"), first])

    assert bench.status("shop-dev-late") == "CREATE_COMPLETE"


def test_stacks_of_no_app_are_called_by_their_names(bench: Bench) -> None:
    bench.deploy(artifact("mine", tags={"team": "a"}), artifact("theirs", tags={"team": "b"}))

    plan = destroy_plan(bench.deployer(), [StackName("mine"), StackName("theirs")])

    assert plan.to_text().startswith("mine, theirs ")


def test_what_stays_is_listed_with_its_real_id(bench: Bench) -> None:
    stack = artifact(Orders=table(), Jobs=queue())
    bench.deploy(stack)
    orders = bench.fake.stack("shop-dev-data").resources["Orders"].physical_id

    done = destroy(bench.deployer(), [stack])

    assert done.results["shop-dev-data"].left == (f"Orders (AWS::DynamoDB::Table, {orders})",)


def test_the_protected_stays_until_named_and_unprotected(bench: Bench) -> None:
    stack = artifact()
    target, confirmed = Target(protected=True), Options(confirmed=True)
    bench.deploy(stack, artifact("shop-dev-more"), target=target, options=confirmed)

    for options, unprotect in ((confirmed, False), (Options(), True)):
        with pytest.raises(GuardError, match="--unprotect") as caught:
            destroy(bench.deployer(target=target, options=options), [stack], unprotect=unprotect)
        assert caught.value.exit_code == 12
    with pytest.raises(GuardError, match="termination protection"):
        destroy(bench.deployer(), [stack])
    with pytest.raises(GuardError, match="environment is protected"):
        destroy(bench.deployer(target=target), [artifact("shop-dev-absent")])
    assert bench.fake.count("DeleteStack") == 0

    done = destroy(bench.deployer(target=target, options=confirmed), [stack], unprotect=True)

    assert done.results["shop-dev-data"].action == "deleted"


def test_what_cannot_be_deleted_is_told_with_what_to_do(bench: Bench) -> None:
    stack = artifact(Role=queue(), Jobs=queue())
    bench.deploy(stack)
    bench.fake.script("Role", "DELETE", fails="Lambda was unable to delete it because it is a replicated function.")

    with pytest.raises(StuckError, match="replicated function") as caught:
        destroy(bench.deployer(), [stack])

    assert caught.value.exit_code == 21
    assert "--retain Role" in bench.recorder.notes
    assert bench.fake.count("DeleteStack") == 1
    assert bench.status("shop-dev-data") == "DELETE_FAILED"


@pytest.mark.parametrize("again", [False, True])
def test_retain_keeps_only_what_refuses(bench: Bench, *, again: bool) -> None:
    stack = artifact(Edge=queue(), Jobs=queue())
    bench.deploy(stack)
    bench.fake.script("Edge", "DELETE", fails="replicated function")
    if again:
        with pytest.raises(StuckError):
            destroy(bench.deployer(), [stack])

    done = destroy(bench.deployer(), [stack], retain=("Edge", "Jobs"))

    edge = bench.fake.stack("shop-dev-data").resources["Edge"].physical_id
    assert done.results["shop-dev-data"].left == (f"Edge (AWS::SQS::Queue, {edge})",)
    deletions = [call.parameters for call in bench.fake.calls if call.operation == "DeleteStack"]
    assert [each.get("RetainResources") for each in deletions] == [None, ["Edge"]]


def test_force_keeps_whatever_refuses_but_only_in_the_second_step(bench: Bench) -> None:
    stack = artifact(Edge=queue())
    bench.deploy(stack)
    bench.fake.script("Edge", "DELETE", fails="replicated function")

    done = destroy(bench.deployer(), [stack], force=True)

    assert len(done.results["shop-dev-data"].left) == 1
    deletions = [call.parameters for call in bench.fake.calls if call.operation == "DeleteStack"]
    assert [each.get("DeletionMode") for each in deletions] == [None, "FORCE_DELETE_STACK"]


def test_an_unknown_id_to_retain_is_refused_before_anything_goes(bench: Bench) -> None:
    bench.deploy(artifact())

    with pytest.raises(SettingsError, match="no stack has a resource 'Jbos'"):
        destroy(bench.deployer(), [artifact()], retain=("Jbos",))

    assert bench.fake.count("DeleteStack") == 0


def test_when_one_fails_those_it_needs_stay(bench: Bench) -> None:
    stacks = chain()
    bench.deploy(*stacks, artifact("shop-dev-alone"))
    bench.fake.script("Jobs", "DELETE", fails="no", stack="shop-dev-code")

    with pytest.raises(StuckError) as caught:
        destroy(bench.deployer(), [*stacks, artifact("shop-dev-alone")])

    deployment = caught.value.deployment
    assert deployment.skipped == ("shop-dev-data",)
    assert set(deployment.results) == {"shop-dev-alone"}
    assert bench.status("shop-dev-data") == "CREATE_COMPLETE"


def test_a_stuck_rollback_is_live_and_only_goes_by_force(bench: Bench) -> None:
    stack = artifact()
    bench.deploy(stack)
    bench.fake.script("Jobs", "ROLLBACK", fails="cannot go back")
    bench.fake.script("More", fails="no")
    with pytest.raises(StuckError):
        bench.deploy(artifact(Jobs=queue(VisibilityTimeout=60), More=queue()))

    with pytest.raises(GuardError, match="archlib recover shop-dev-data"):
        destroy(bench.deployer(), [stack])
    assert bench.fake.count("DeleteStack") == 0

    assert destroy(bench.deployer(), [stack], force=True).results["shop-dev-data"].action == "deleted"


def test_a_deletion_that_is_going_on_is_followed(bench: Bench) -> None:
    stack = artifact()
    bench.deploy(stack)
    bench.fake.call("DeleteStack", {"StackName": "shop-dev-data"})

    done = destroy(bench.deployer(), [stack])

    assert done.results["shop-dev-data"].action == "deleted"
    assert bench.fake.count("DeleteStack") == 1


def test_who_stops_deletes_nothing(bench: Bench) -> None:
    bench.deploy(artifact())
    deployer = bench.deployer()
    deployer.stop.request()

    with pytest.raises(InterruptError):
        destroy(deployer, [artifact()])

    assert bench.fake.count("DeleteStack") == 0


def test_stacks_are_found_by_their_tags(bench: Bench) -> None:
    bench.deploy(
        artifact("shop-dev-data"),
        artifact("shop-prod-data", tags={"app": "shop", "environment": "prod"}),
        artifact("shop-dev-code"),
    )

    found = find(bench.deployer(), "shop", "dev")

    assert [each.name for each in found] == ["shop-dev-data", "shop-dev-code"]
    assert {each.region for each in found} == {"eu-west-1"}


class Regions(FakeAws):
    """An account with a CloudFormation in each of two regions."""

    def __init__(self, bench: Bench, partition: str = "aws") -> None:
        super().__init__(bench.fake)
        self.fakes = {
            "eu-west-1": bench.fake,
            "us-east-1": FakeCloudFormation(bench.clock, region="us-east-1"),
        }
        self.partition = partition
        self.clients: dict[str, Any] = {}

    def client(self, service: str, region: str | None = None) -> Any:
        where = region or "eu-west-1"
        with self._lock:
            if where not in self.clients:
                made = session().client(service, region_name=where, config=Config(retries={"total_max_attempts": 1}))
                self.clients[where] = attach(made, self.fakes[where])
            return self.clients[where]

    def identity(self) -> Identity:
        return Identity(ACCOUNT, "arn", self.partition)


class TestTheRegionOfCloudFront:
    def deployer(self, bench: Bench, aws: FakeAws) -> Deployer:
        return Deployer(aws=aws, clock=bench.clock, reporter=bench.recorder, journal=bench.folder)

    def test_what_an_app_has_there_goes_with_it(self, bench: Bench) -> None:
        aws = Regions(bench)
        edge = replace(artifact("shop-dev-edge", outputs={"Cert": {"Ref": "Jobs"}}), region="us-east-1")
        deployer = self.deployer(bench, aws)
        deployer.deploy([edge, artifact("shop-dev-app", needs={"Cert": ("shop-dev-edge", "Cert")})])

        found = find(deployer, "shop", "dev")
        done = destroy(deployer, found)

        assert found == (StackName("shop-dev-app", "eu-west-1"), StackName("shop-dev-edge", "us-east-1"))
        assert [result.action for result in done.results.values()] == ["deleted", "deleted"]

    def test_another_deployment_of_the_app_there_stays(self, bench: Bench) -> None:
        aws = Regions(bench)
        deployer = self.deployer(bench, aws)
        deployer.deploy([replace(artifact(), region="us-east-1")])
        assert find(deployer, "shop", "dev") == ()
        deployer.deploy([artifact()])

        assert find(deployer, "shop", "dev") == (StackName("shop-dev-data", "eu-west-1"),)

    def test_where_it_may_not_be_read_that_is_told(self, bench: Bench) -> None:
        aws = Regions(bench)
        deployer = self.deployer(bench, aws)
        deployer.deploy([artifact()])
        aws.fakes["us-east-1"].fault("DescribeStacks", "access_denied", times=None)

        assert len(find(deployer, "shop", "dev")) == 1
        assert "us-east-1 could not be looked for" in bench.recorder.notes

    def test_other_partitions_have_none(self, bench: Bench) -> None:
        aws = Regions(bench, "aws-cn")
        deployer = self.deployer(bench, aws)
        deployer.deploy([artifact()])

        assert len(find(deployer, "shop", "dev")) == 1
        assert aws.fakes["us-east-1"].count("DescribeStacks") == 0
