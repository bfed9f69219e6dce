"""Plans, results and failures, for people: in colour on a terminal, plain elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group
from rich.panel import Panel
from rich.style import Style
from rich.text import Text

from archlib.cli.options import counted
from archlib.cli.text import clean
from archlib.core.origin import Origin
from archlib.deploy.deployer import Deployment
from archlib.deploy.models import Failure, ResourceChange
from archlib.deploy.plan import SYMBOLS, Plan, StackPlan, describe, summary
from archlib.deploy.reporter import duration
from archlib.errors import ArchlibError, InterruptError, Problem, RunningError

_STYLES = {
    "add": "green", "modify": "yellow", "replace": "bold red", "remove": "red", "import": "cyan", "sync": "magenta",
    "unknown": "yellow",
}  # fmt: skip
_COMMAND = r"archlib( (?!and\b|or\b)-{0,2}[a-z][\w-]*)+"
_FAILED, _INTERRUPTED, _RUNNING = "failed", "interrupted", "still running"
_SKIPPED = {_FAILED: "failed", _INTERRUPTED: "was interrupted", _RUNNING: "is still running"}
_MOST_FAILURES, _MOST_OTHERS, _MOST_EVIDENCE = 10, 3, 10


def show_plan(plan: Plan, console: Console, *, brief: bool = False) -> None:
    """Print ``plan``.

    Args:
        plan: what will be done.
        console: where to.
        brief: only what needs a look, and the summary.
    """
    if not brief and not console.is_terminal:
        _print(console, (Text(clean(row)) for row in plan.to_text().split("\n")))
        return
    _print(console, _plan(plan, brief=brief))


def show_deployment(deployment: Deployment, console: Console) -> None:
    """Print what became of each stack, and the outputs."""
    marks = ("=", "x", "*", "-") if console.options.ascii_only else ("✓", "✗", "◐", "-")
    _print(console, _deployment(deployment, marks))


def show_error(error: ArchlibError, console: Console, *, command: str = "deploy") -> None:
    """Print why ``command`` failed: of each failed stack the root cause, where it was declared, evidence, state, next.

    Args:
        error: what went wrong.
        console: where to.
        command: what the user ran.
    """
    failures, problems = _causes(error)
    if failures:
        title = f"{command} failed (exit {error.exit_code})"
        rows = list(_failures(failures))
        if console.is_terminal:
            # What does not fit is folded inside the box.
            body = Group(*rows)
            console.print(Panel(body, title=Text(title), border_style="red", box=box.ROUNDED, padding=(0, 1)))
        else:
            _print(console, (Text(title), *(Text("  ").append_text(row) for row in rows)))
    for word, problem in problems:
        label = ("error", "bold red") if word == _FAILED else (word, "bold yellow")
        _print(console, [Text.assemble(label, ": ", clean(str(problem)))])


def deployment_markdown(deployment: Deployment) -> str:
    """Return what became of each stack as Markdown."""
    rows = ["| | Stack | What | Time |", "| --- | --- | --- | ---: |"]
    rows += [
        f"| ✅ | {name} | {result.action} | {duration(result.seconds)} |" for name, result in deployment.results.items()
    ]
    rows += [
        f"| {'❌' if _word(error) == _FAILED else '⏸'} | {name} | {_cell(_reason(error))} | |"
        for name, error in deployment.errors.items()
    ]
    rows += [f"| ⏭ | {name} | skipped | |" for name in deployment.skipped]
    outputs = [f"| {_cell(key)} | `{_cell(value)}` |" for key, value in deployment.told.items()]
    if outputs:
        rows += ["", "| Output | Value |", "| --- | --- |", *outputs]
    return "\n".join((f"### {_totals(deployment)}", "", *rows, ""))


def error_markdown(error: ArchlibError, *, command: str = "deploy") -> str:
    """Return why ``command`` failed as Markdown."""
    failures, problems = _causes(error)
    rows = [f"### {command} {_word(error)} (exit {error.exit_code})", ""]
    for failure in failures:
        where = f" {failure.type} in {failure.stack}" if failure.type else ""
        rows.append(f"- **{_cell(failure.resource or failure.stack)}**{_cell(where)}: {_cell(failure.reason)}")
        facts = (("declared at", str(failure.origin or "")), ("state", failure.state), ("next", failure.next))
        rows += [f"  - {label}: {_cell(value)}" for label, value in facts if value]
    rows += [f"- {_cell(str(problem))}" for _, problem in problems]
    return "\n".join((*rows, ""))


def _print(console: Console, rows: Iterable[Text]) -> None:
    for row in rows:
        console.print(row, soft_wrap=True)


def _plan(plan: Plan, *, brief: bool) -> Iterator[Text]:
    if not brief:
        where = ", ".join(filter(None, (plan.account, plan.region)))
        yield Text.assemble((clean(f"{plan.app} {plan.environment}"), "bold cyan"), (f"  {clean(where)}", "dim"))
        idle = [stack for stack in plan.stacks if stack.action == "none"]
        for stack in plan.stacks:
            if stack.action != "none":
                yield from _stack(stack, plan.region)
        if idle and not plan.empty:
            yield Text(f"{counted(len(idle), 'stack')} unchanged: {', '.join(stack.stack for stack in idle)}", "dim")
        yield Text()
    widening = [(stack.stack, each) for stack in plan.stacks for each in stack.widening]
    losses = [(stack.stack, each) for stack in plan.stacks for each in stack.losses]
    yield from _section("Gives more rights or opens more ways", "yellow", widening)
    yield from _section("Data is lost or left behind", "bold red", losses)
    yield Text(summary(plan), style="bold")


def _section(title: str, style: str, rows: list[tuple[str, str]]) -> Iterator[Text]:
    if not rows:
        return
    yield Text(title, style=style)
    for stack, what in rows:
        yield Text.assemble(("  ! ", style), clean(what), (f"  {clean(stack)}", "dim"))
    yield Text()


def _stack(stack: StackPlan, region: str) -> Iterator[Text]:
    yield Text()
    title = Text.assemble((clean(stack.stack), "bold"), f"  {stack.action}")
    if stack.region != region:
        title.append(f"  {clean(stack.region)}", style="dim")
    if stack.estimated:
        title.append("  estimated from the templates", style="italic dim")
    yield title
    name = max((cell_len(change.resource) for change in stack.changes), default=0)
    kind = max((cell_len(change.type) for change in stack.changes), default=0)
    for change in stack.changes:
        yield from _change(change, min(name, 40), min(kind, 40))
    for each in stack.notes:
        yield Text(f"      {clean(each)}", style="dim")


def _change(change: ResourceChange, name: int, kind: int) -> Iterator[Text]:
    style = _STYLES[change.action]
    row = Text.assemble(
        (f"  {SYMBOLS[change.action]:>3} ", style),
        (f"{clean(change.resource):{name}}  ", "bold red" if change.action == "replace" else ""),
        (f"{clean(change.type):{kind}}", "dim"),
    )
    if not change.certain:
        row.append("  perhaps", style="yellow")
    if change.policy not in {"", "Delete"}:
        row.append(f"  the old one: {clean(change.policy)}", style="cyan")
    if change.origin:
        row.append("  ").append_text(_link(change.origin, "dim"))
    row.rstrip()
    yield row
    for each, text in zip(change.properties, describe(change), strict=True):
        yield Text(f"          {clean(text)}", style={"never": "", "maybe": "yellow", "always": "red"}[each.recreates])


def _deployment(deployment: Deployment, marks: tuple[str, str, str, str]) -> Iterator[Text]:
    done, failed, left, skipped = marks
    names = (*deployment.results, *deployment.errors, *deployment.skipped)
    width = max((cell_len(name) for name in names), default=0)
    for name, result in deployment.results.items():
        took = f"  {duration(result.seconds)}" if result.seconds >= 1 else ""
        yield Text.assemble((f"{done} ", "green"), f"{name:{width}}  {result.action}", (took, "dim"))
        for each in result.left:
            yield Text(f"  stays: {clean(each)}", style="dim")
        for each in result.orphans:
            yield Text(f"  ! not deleted, and no longer in the stack: {clean(each)}", style="yellow")
    for name, error in deployment.errors.items():
        word = _word(error)
        mark = (f"{failed} ", "red") if word == _FAILED else (f"{left} ", "yellow")
        yield Text.assemble(mark, f"{name:{width}}  {word}")
    why = " and ".join(dict.fromkeys(_SKIPPED[_word(error)] for error in deployment.errors.values())) or "failed"
    for name in deployment.skipped:
        yield Text(f"{skipped} {name:{width}}  skipped: a stack that it needs {why}", style="dim")
    outputs = deployment.told
    if outputs:
        yield Text()
        yield Text("Outputs", style="bold")
        width = max(map(cell_len, outputs))
        for key, value in outputs.items():
            yield Text.assemble((f"  {key:{width}}", "cyan"), f"  {clean(value)}")
    yield Text()
    yield Text(_totals(deployment), style="bold")


def _totals(deployment: Deployment) -> str:
    counts: Counter[str] = Counter(result.action for result in deployment.results.values())
    counts.update(_word(error) for error in deployment.errors.values())
    counts["skipped"] = len(deployment.skipped)
    told = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
    return f"{told or 'nothing to do'} in {duration(deployment.seconds)}"


def _word(error: ArchlibError) -> str:
    """Return what became of a stack that ended with ``error``."""
    match error:
        case InterruptError():
            return _INTERRUPTED
        case RunningError():
            return _RUNNING
        case _:
            return _FAILED


def _causes(error: ArchlibError) -> tuple[list[Failure], list[tuple[str, Problem]]]:
    """Return what failed in CloudFormation, and what else went wrong, each after what that means."""
    errors = list(error.deployment.errors.values()) if error.deployment is not None else [error]
    failures = [failure for each in errors if (failure := getattr(each, "failure", None)) is not None]
    rest = [each for each in errors if getattr(each, "failure", None) is None]
    problems = [(_word(each), problem) for each in rest for problem in each.problems]
    return failures, problems


def _reason(error: ArchlibError) -> str:
    failure: Failure | None = getattr(error, "failure", None)
    if failure is None:
        return str(error)
    return f"{failure.resource}: {failure.reason}" if failure.resource else failure.reason


def _failures(failures: list[Failure]) -> Iterator[Text]:
    for index, failure in enumerate(failures[:_MOST_FAILURES]):
        if index:
            yield Text()
        yield from _failure(failure)
    if len(failures) > _MOST_FAILURES:
        yield Text(f"and {counted(len(failures) - _MOST_FAILURES, 'failed stack')} more", style="dim")


def _failure(failure: Failure) -> Iterator[Text]:
    where = f" {failure.type}" if failure.type else ""
    where += f"  in {failure.stack}" if failure.resource else ""
    if failure.time:
        where += f"  at {datetime.fromtimestamp(failure.time, UTC):%H:%M:%S} UTC"
    named = clean(failure.resource or failure.stack)
    yield Text.assemble(("Root cause  ", "bold red"), (named, "bold"), (clean(where) and f" {clean(where)}", "dim"))
    yield Text(clean(failure.reason))
    if failure.origin is not None:
        yield _fact("declared at", _link(failure.origin, "cyan underline"))
    for index, each in enumerate(failure.evidence[:_MOST_EVIDENCE]):
        yield _fact("" if index else "evidence", Text(clean(each)))
    if failure.state:
        state = Text(clean(failure.state))
        state.highlight_regex(r"^[A-Z]+(_[A-Z]+)+", "yellow")
        yield _fact("state", state)
    if failure.next:
        advice = Text(clean(failure.next))
        advice.highlight_regex(_COMMAND, "bold")
        yield _fact("next", advice)
    for index, each in enumerate(failure.others[:_MOST_OTHERS]):
        yield _fact("" if index else "also failed", Text(clean(each), style="dim"))
    if len(failure.others) > _MOST_OTHERS:
        yield _fact("", Text(f"and {len(failure.others) - _MOST_OTHERS} more", style="dim"))
    if failure.cancelled:
        verb = "was" if failure.cancelled == 1 else "were"
        yield Text(f"{counted(failure.cancelled, 'other resource')} {verb} cancelled because of this", style="dim")


def _fact(label: str, what: Text) -> Text:
    return Text.assemble((f"{label:11} ", "dim"), what)


def _link(origin: Origin, style: str) -> Text:
    """Return ``origin``, to be clicked on where the terminal can."""
    text = Text(clean(str(origin)), style=style)
    if origin.line and Path(origin.file).is_absolute():
        text.stylize(Style(link=Path(origin.file).as_uri()))
    return text


def _cell(text: str) -> str:
    return clean(text).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("`", "&#96;")
