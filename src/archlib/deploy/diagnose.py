"""From a heap of events to one cause and the next command."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from archlib.core.origin import Origin
from archlib.deploy.models import Failure, StackEvent

_NESTED = "AWS::CloudFormation::Stack"


class _Hint(NamedTuple):
    pattern: str
    advice: str


_HINTS = (
    _Hint(
        r"[Ee]xport \S+ (cannot be (updated|deleted) )?as it is in use",
        "first deploy the stacks that import it without it",
    ),
    _Hint(r"No export named (\S+) found", "first deploy the stack that exports {1}"),
    _Hint(r"[Tt]ermination ?[Pp]rotection", "run: archlib destroy --unprotect"),
    _Hint(r"denied by stack policy", "change stack_policy of the target, or leave the resource as it is"),
    _Hint(r"[Bb]ucket.*not empty", "empty it, or run: archlib destroy --empty-buckets"),
    _Hint(r"replicated function", "Lambda@Edge needs hours to go: later, or: archlib destroy --retain {resource}"),
    _Hint(
        r"has a dependent object|DependencyViolation",
        "something still uses it, often a network interface that goes by itself within 40 minutes: try again later",
    ),
    _Hint(r"repository.*(not empty|contains images)", "delete its images, or: archlib destroy --retain {resource}"),
    _Hint(r"pending deletion|KMSInvalidState", "the key is being deleted: aws kms cancel-key-deletion --key-id <id>"),
    _Hint(r"already exists|AlreadyExists", "import it (archlib import), rename it here, or delete it there"),
    _Hint(
        r"LimitExceeded|limit (has been )?exceeded|maximum number of|quota",
        "raise the quota in the Service Quotas console, or use less",
    ),
    _Hint(r"is invalid or cannot be assumed", "the service role of the target must trust cloudformation.amazonaws.com"),
    _Hint(r"cannot be assumed|Invalid principal", "a role or user may be too new: try again in a minute"),
    _Hint(
        r"[Ii]nsufficient ?(Instance)?[Cc]apacity|sufficient \S+ capacity",
        "AWS has none of these now: try again, or another type or zone",
    ),
    _Hint(
        r"[Cc]ircuit [Bb]reaker|did not stabili[sz]e|NotStabilized",
        "read the logs of the containers: they stop, or fail their health check",
    ),
    _Hint(
        r"Access ?Denied|not authorized to perform",
        "allow it to whoever deploys (archlib policy prints what is needed)",
    ),
    _Hint(r"hook\(s\) failed", "change what the hook refuses; whoever runs the account knows why"),
    _Hint(r"[Dd]eletion ?[Pp]rotection", "switch its deletion protection off and deploy, then destroy"),
    _Hint(r"Unable to fetch parameters", "create these parameters in the Parameter Store of this region"),
    _Hint(r"Transform .* failed", "read the log of the macro's function"),
    _Hint(r"Template (format )?error|Invalid template", "run: archlib check"),
)


def diagnose(
    stack: str,
    events: Iterable[StackEvent],
    *,
    status: str,
    origins: Mapping[str, Origin] | None = None,
    evidence: Iterable[str] = (),
) -> Failure:
    """Return why an operation on ``stack`` failed.

    The cause is the earliest failure of a resource that is no nested stack and was not given up because of another.

    Args:
        stack: its name.
        events: of the operation, of nested stacks too, in any order.
        status: of the stack now.
        origins: logical id -> the user's line.
        evidence: what else is known.
    """
    ordered = sorted(events, key=lambda event: event.time)
    cancelled = [event for event in ordered if event.failed and not event.of_stack and _is_cancelled(event)]
    own = causes(ordered, status)
    meaning, advice = STATES.get(status, (status, "run: archlib status"))
    if not own:
        told = [event for event in ordered if event.of_stack and event.reason not in {"", "User Initiated"}]
        reason = told[0].reason if told else f"CloudFormation gives no reason ({status})"
        return Failure(
            stack, "", "", reason, told[0].time if told else 0.0,
            evidence=tuple(evidence), state=f"{status}: {meaning}", next=_next(reason, "", advice, stack),
        )  # fmt: skip
    cause = own[0]
    return Failure(
        stack=cause.stack,
        resource=cause.resource,
        type=cause.type,
        reason=cause.reason or f"CloudFormation gives no reason ({cause.status})",
        time=cause.time,
        origin=(origins or {}).get(cause.resource),
        evidence=tuple(evidence),
        state=f"{status}: {meaning}",
        next=_next(cause.reason, cause.resource, advice, stack),
        cancelled=len(cancelled),
        others=tuple(
            f"{event.resource}: {event.reason}"
            for event in own[1:]
            if event.status.split("_")[0] == cause.status.split("_")[0] and event.resource != cause.resource
        ),
    )


def causes(events: Iterable[StackEvent], status: str) -> list[StackEvent]:
    """Return the failures of resources in ``events`` that others may be due to, the earliest first.

    Args:
        events: of an operation, of nested stacks too, in any order.
        status: of the stack after it.
    """
    ordered = sorted(events, key=lambda event: event.time)
    failed = [event for event in ordered if event.failed and not event.of_stack and not _is_cancelled(event)]
    own = [event for event in failed if event.type != _NESTED] or failed
    # Deleting what an update replaced may fail, too, and decides nothing.
    return [event for event in own if status.startswith("DELETE") or event.status != "DELETE_FAILED"] or own


def hint(reason: str, resource: str = "") -> str:
    """Return what to do about ``reason``, or nothing."""
    for each in _HINTS:
        if found := re.search(each.pattern, reason):
            advice = each.advice.replace("{resource}", resource)
            return advice.replace("{1}", found[1]) if "{1}" in advice else advice
    return ""


def is_transient(reason: str) -> bool:
    """Return whether ``reason`` goes away by itself within seconds: IAM takes a while to be known everywhere."""
    return "cannot be assumed" in reason or "Invalid principal" in reason


def _is_cancelled(event: StackEvent) -> bool:
    return re.match(r"Resource \w+ cancelled", event.reason, re.IGNORECASE) is not None


def _next(reason: str, resource: str, advice: str, stack: str) -> str:
    return "; then ".join(filter(None, (hint(reason, resource), advice.replace("{stack}", stack))))


STATES: Mapping[str, tuple[str, str]] = {
    "ROLLBACK_COMPLETE": ("nothing of it exists; the next deployment makes it anew", "run again: archlib deploy"),
    "DELETE_COMPLETE": ("nothing of it exists", "run again: archlib deploy"),
    "UPDATE_ROLLBACK_COMPLETE": ("the version before is in place; nothing to clean up", "run again: archlib deploy"),
    "IMPORT_ROLLBACK_COMPLETE": ("nothing was imported; the stack is as before", "run again: archlib import"),
    "CREATE_FAILED": ("rollback was switched off; what was made is there", "run again: archlib deploy"),
    "UPDATE_FAILED": ("rollback was switched off; parts are new, parts old", "run again: archlib deploy"),
    "ROLLBACK_FAILED": (
        "it could not be created, and not all of it could be deleted",
        "run: archlib deploy --replace-failed, or archlib destroy",
    ),
    "UPDATE_ROLLBACK_FAILED": (
        "the update failed and could not be undone; what runs is between two versions",
        "run: archlib recover {stack}",
    ),
    "IMPORT_ROLLBACK_FAILED": ("the import failed and could not be undone", "ask AWS Support: no call continues it"),
    "DELETE_FAILED": (
        "some of it could not be deleted",
        "run again: archlib destroy, with --retain for what must stay",
    ),
}
"""Status of a stack after a failure -> what that means, and what to do next."""
