"""One cause and one next command out of a heap of events."""

from __future__ import annotations

import random
from typing import Any

import pytest

from archlib.core.origin import Origin
from archlib.deploy.diagnose import STATES, causes, diagnose, hint, is_transient
from archlib.deploy.models import StackEvent

ROOT = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/1"
INNER = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop-Inner-X/2"
NESTED = "AWS::CloudFormation::Stack"


def event(resource: str, status: str, time: float, reason: str = "", **more: Any) -> StackEvent:
    own = {"stack_id": ROOT, "stack": "shop", "physical_id": f"{resource}-1", "type": "AWS::SQS::Queue", **more}
    return StackEvent(id=f"{resource}{status}{time}", resource=resource, status=status, time=time, reason=reason, **own)


def of_stack(status: str, time: float, reason: str = "") -> StackEvent:
    return event("shop", status, time, reason, physical_id=ROOT, type=NESTED)


# Sentences of AWS, as they come, and what is advised.
REASONS = [
    ("Export shop:Url cannot be updated as it is in use by api", "first deploy the stacks that import it without it"),
    ("Export shop:Url cannot be deleted as it is in use by api", "first deploy the stacks that import it without it"),
    ("Delete canceled. Cannot delete export shop:Url as it is in use by api.", "first deploy the stacks that import"),
    ("No export named shop:Url found. Rollback requested by user.", "first deploy the stack that exports shop:Url"),
    ("Stack [shop] cannot be deleted while TerminationProtection is enabled", "run: archlib destroy --unprotect"),
    ("Action denied by stack policy: Statement [#1] does not allow [Update:*]", "change stack_policy of the target"),
    ("The bucket you tried to delete is not empty (Service: S3, Status Code: 409)", "--empty-buckets"),
    ("Lambda was unable to delete fn because it is a replicated function.", "archlib destroy --retain Thing"),
    ("resource sg-1 has a dependent object (Service: Ec2; Error Code: DependencyViolation)", "within 40 minutes"),
    (
        "The repository with name 'web' in registry with id '1' cannot be deleted because it still contains images",
        "delete its images, or: archlib destroy --retain Thing",
    ),
    ("arn:aws:kms:eu-west-1:1:key/2 is pending deletion.", "aws kms cancel-key-deletion"),
    ("Resource of type 'AWS::S3::Bucket' with identifier 'b' already exists.", "import it (archlib import)"),
    ('Resource handler returned message: "x" (HandlerErrorCode: AlreadyExists)', "import it (archlib import)"),
    ("The maximum number of VPCs has been reached. (HandlerErrorCode: ServiceLimitExceeded)", "raise the quota"),
    ("Cannot exceed quota for RolesPerAccount: 1000", "raise the quota in the Service Quotas console"),
    (
        "Role arn:aws:iam::1:role/cfn is invalid or cannot be assumed",
        "the service role of the target must trust cloudformation.amazonaws.com",
    ),
    ("The role defined for the function cannot be assumed by Lambda.", "may be too new: try again in a minute"),
    ('Invalid principal in policy: "AWS":"arn:aws:iam::1:role/new"', "may be too new: try again in a minute"),
    ("(Service: Ec2, Status Code: 500) InsufficientInstanceCapacity", "try again, or another type or zone"),
    (
        "We currently do not have sufficient t4g.micro capacity in the Availability Zone you requested (eu-west-1a).",
        "try again, or another type or zone",
    ),
    ("Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'.", "read the logs of the"),
    ("Resource Web did not stabilize.", "read the logs of the containers"),
    ("User: arn:aws:iam::1:user/a is not authorized to perform: sqs:CreateQueue on resource: q", "archlib policy"),
    ("Access Denied (Service: S3, Status Code: 403)", "archlib policy prints"),
    ("The following hook(s) failed: [Acme::Tags::Hook]", "change what the hook refuses"),
    ("Cannot delete protected DB Instance, please disable deletion protection and try again.", "switch its deletion"),
    ("Unable to fetch parameters [/shop/size] from parameter store for this account.", "in the Parameter Store"),
    ("Transform 123456789012::Macro failed without an error message.", "the log of the macro's function"),
    ("Template format error: Unresolved resource dependencies [A] in the Resources block", "run: archlib check"),
    ("Template error: instance of Fn::GetAtt references undefined resource A", "run: archlib check"),
    ("Something nobody has seen before", ""),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "advice"), REASONS)
def test_what_aws_says_and_what_to_do(reason: str, advice: str) -> None:
    found = hint(reason, "Thing")

    assert advice in found
    assert bool(advice) == bool(found)
    assert "{" not in found


def test_only_what_goes_away_by_itself_is_transient() -> None:
    transient = [reason for reason, _ in REASONS if is_transient(reason)]

    assert [reason.split()[0] for reason in transient if "invalid or" not in reason] == ["The", "Invalid"]


def test_the_first_failure_is_the_cause_and_the_rest_is_counted() -> None:
    events = [
        of_stack("UPDATE_IN_PROGRESS", 0),
        event("A", "UPDATE_IN_PROGRESS", 1),
        event("A", "UPDATE_FAILED", 5, "limit exceeded"),
        event("B", "UPDATE_FAILED", 6, "Resource update cancelled"),
        event("C", "CREATE_FAILED", 6, "Resource creation cancelled"),
        event("D", "UPDATE_FAILED", 7, "no, too"),
        event("E", "CREATE_FAILED", 8, "another kind"),
        event("A", "UPDATE_FAILED", 9, "again"),
        of_stack("UPDATE_ROLLBACK_IN_PROGRESS", 10, "The following resource(s) failed to update: [A, B, C, D]"),
        event("F", "DELETE_FAILED", 11, "later"),
        of_stack("UPDATE_ROLLBACK_COMPLETE", 12),
    ]
    random.Random(1).shuffle(events)  # noqa: S311

    failure = diagnose(
        "shop", events, status="UPDATE_ROLLBACK_COMPLETE", origins={"A": Origin("shop.yaml", 3)}, evidence=["x said y"]
    )

    assert (failure.stack, failure.resource, failure.type, failure.time) == ("shop", "A", "AWS::SQS::Queue", 5)
    assert failure.reason == "limit exceeded"
    assert failure.origin == Origin("shop.yaml", 3)
    assert failure.evidence == ("x said y",)
    assert failure.cancelled == 2
    assert failure.others == ("D: no, too",)
    assert failure.state.startswith("UPDATE_ROLLBACK_COMPLETE: the version before is in place")
    assert failure.next == (
        "raise the quota in the Service Quotas console, or use less; then run again: archlib deploy"
    )


def test_a_cause_that_only_mentions_a_cancellation_is_one() -> None:
    events = [event("A", "CREATE_FAILED", 1, "The spot request was cancelled by its owner")]

    failure = diagnose("shop", events, status="ROLLBACK_COMPLETE")

    assert (failure.resource, failure.cancelled) == ("A", 0)


def test_the_cause_is_inside_the_nested_stack() -> None:
    inside = {"stack_id": INNER, "stack": "shop-Inner-X"}
    events = [
        event("Deep", "CREATE_FAILED", 5, "the cause", **inside),
        event("shop-Inner-X", "CREATE_FAILED", 6, "failed: [Deep]", physical_id=INNER, type=NESTED, **inside),
        event("Inner", "CREATE_FAILED", 7, "Embedded stack was not created", type=NESTED, physical_id=INNER),
    ]  # fmt: skip

    failure = diagnose("shop", events, status="ROLLBACK_COMPLETE")

    assert (failure.stack, failure.resource, failure.reason) == ("shop-Inner-X", "Deep", "the cause")
    assert failure.others == ()


def test_a_nested_stack_that_tells_nothing_is_the_cause_itself() -> None:
    events = [event("Inner", "CREATE_FAILED", 7, "Template error: no", type=NESTED, physical_id=INNER)]

    assert diagnose("shop", events, status="ROLLBACK_COMPLETE").resource == "Inner"


def test_a_stack_that_fails_as_a_whole_tells_its_reason() -> None:
    events = [
        of_stack("CREATE_IN_PROGRESS", 0, "User Initiated"),
        of_stack("ROLLBACK_IN_PROGRESS", 4, "Alarm went off"),
        of_stack("ROLLBACK_COMPLETE", 9),
    ]

    failure = diagnose("shop", events, status="ROLLBACK_COMPLETE")

    assert (failure.stack, failure.resource, failure.reason, failure.time) == ("shop", "", "Alarm went off", 4)
    assert failure.next == "run again: archlib deploy"


def test_where_cloudformation_gives_no_reason_it_says_so() -> None:
    assert (
        diagnose("shop", [], status="ROLLBACK_COMPLETE").reason == "CloudFormation gives no reason (ROLLBACK_COMPLETE)"
    )

    failure = diagnose("shop", [event("A", "CREATE_FAILED", 1)], status="ROLLBACK_COMPLETE")
    assert failure.reason == "CloudFormation gives no reason (CREATE_FAILED)"


def test_what_an_update_could_not_delete_is_no_cause_but_in_a_deletion_it_is() -> None:
    late = event("Old", "DELETE_FAILED", 1, "in use")
    cause = event("New", "CREATE_FAILED", 2, "no")

    assert [each.resource for each in causes([late, cause], "UPDATE_ROLLBACK_COMPLETE")] == ["New"]
    assert [each.resource for each in causes([late, cause], "DELETE_FAILED")] == ["Old", "New"]
    assert [each.resource for each in causes([late], "ROLLBACK_FAILED")] == ["Old"]
    assert causes([event("A", "CREATE_COMPLETE", 1)], "CREATE_COMPLETE") == []


@pytest.mark.parametrize("status", sorted(STATES))
def test_each_end_says_what_it_means_and_what_comes_next(status: str) -> None:
    failure = diagnose("shop", [event("A", "CREATE_FAILED", 1, "no")], status=status)

    meaning, advice = STATES[status]
    assert failure.state == f"{status}: {meaning}"
    assert failure.next == advice.replace("{stack}", "shop")
    assert "{" not in failure.next


def test_a_status_that_nobody_knows_yet_is_shown_as_it_is() -> None:
    failure = diagnose("shop", [], status="HALF_COMPLETE")

    assert failure.state == "HALF_COMPLETE: HALF_COMPLETE"
    assert failure.next == "run: archlib status"
