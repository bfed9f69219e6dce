"""Values that nobody may see are planted wherever they can come from, and looked for wherever they could go."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from archlib.cli.jsonlines import JsonReporter
from archlib.cli.lines import LinesReporter
from archlib.cli.text import Stream
from archlib.core.artifact import StackArtifact
from archlib.core.target import Target
from archlib.deploy.deployer import Deployer
from archlib.deploy.plan import from_data
from archlib.deploy.reporter import LineReporter, Report
from archlib.deploy.run import Options
from archlib.errors import ArchlibError, DeployError
from deploying import Bench, artifact, changed, queue
from fakes import ServiceError
from unit.cli.scenes import SetClock, console

NAME = "shop-dev-data"
GIVEN = "planted-given-value"  # for a parameter with NoEcho
DEFAULT = "planted-default-value"  # of a parameter with NoEcho
NAMED = "planted-named-value"  # of a property that is called like a secret
INSIDE = "planted-inside-value"  # in an environment, which is shown as JSON
OLDER = "planted-older-value"  # what a property was before
JOINED = "planted-joined-value"  # inside a function of CloudFormation
SECRETS = (GIVEN, DEFAULT, NAMED, INSIDE, OLDER, JOINED)


@dataclass
class Everyone:
    """All who are told, and what they wrote."""

    texts: list[str] = field(default_factory=list)
    lines: io.StringIO = field(default_factory=io.StringIO)
    json: io.StringIO = field(default_factory=io.StringIO)
    people: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        human = LinesReporter(console(terminal=False, file=self.people))
        self._told: list[Any] = [LineReporter(self.lines), JsonReporter(Stream(self.json), human, clock=SetClock())]

    def notify(self, report: Report) -> None:
        self.texts.append(repr(report))
        for each in self._told:
            each.notify(report)

    def confirm(self, question: str) -> bool:
        self.texts.append(question)
        return True

    def everything(self) -> Iterator[str]:
        yield from self.texts
        yield from (each.getvalue() for each in (self.lines, self.json, self.people))


@dataclass
class Safe:
    """A deployer that knows all secrets, and everything that can be seen of its work."""

    bench: Bench
    told: Everyone = field(default_factory=Everyone)
    errors: list[ArchlibError] = field(default_factory=list)
    journal: list[str] = field(default_factory=list)
    plans: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        real, lock = self.bench.fake.call, threading.Lock()

        def call(operation: str, parameters: dict[str, Any], **how: Any) -> dict[str, Any]:
            # While a call is on its way, the journal says what for.
            with lock:
                self.journal += [path.read_text() for path in self.bench.folder.rglob("*.json")]
            return real(operation, parameters, **how)

        self.bench.fake.call = call  # type: ignore[method-assign]

    def deployer(self, **given: str) -> Deployer:
        self.bench.recorder = self.told  # type: ignore[assignment]
        target = Target(parameters={"Given": GIVEN, **given})
        return self.bench.deployer(target=target, options=Options(replace_failed=True))

    def plan(self, stack: StackArtifact, **given: str) -> str:
        deployer = self.deployer(**given)
        plan = deployer.plan([stack])
        deployer.discard(plan)
        kept = plan.to_data(artifacts=True)
        assert from_data(kept).stacks == plan.stacks
        # A template is kept as it is: it is to be carried out.
        del kept["artifacts"]
        return self.keep(plan.to_text(), plan.to_json(), plan.to_markdown(), json.dumps(kept), repr(plan.stacks))

    def keep(self, *texts: str) -> str:
        self.plans += texts
        return "\n".join(texts)

    def deploy(self, stack: StackArtifact, **given: str) -> None:
        self.attempt(lambda: self.deployer(**given).deploy([stack]))

    def attempt(self, do: Callable[[], object]) -> None:
        try:
            do()
        except ArchlibError as error:
            self.errors.append(error)

    def sent(self) -> Iterator[str]:
        """Yield what everybody who looks at the stack can see of what was sent."""
        for call in self.bench.fake.calls:
            shown = {key: call.parameters.get(key) for key in ("Description", "ChangeSetName", "ClientToken")}
            yield repr({**shown, "token": call.parameters.get("ClientRequestToken")})

    def everything(self) -> dict[str, list[str]]:
        failures = [error.failure for error in self.errors if isinstance(error, DeployError) and error.failure]
        deployments = [error.deployment for error in self.errors if error.deployment]
        return {
            "plans": self.plans,
            "reports": list(self.told.everything()),
            "errors": [f"{error}\n{error!r}\n{error.problems}" for error in self.errors],
            "failures": [json.dumps(asdict(failure)) for failure in failures],
            "each": [str(error) for deployment in deployments for error in deployment.errors.values()],
            "journal": self.journal,
            "sent": list(self.sent()),
        }

    def check(self) -> None:
        for where, texts in self.everything().items():
            for text in texts:
                assert not [secret for secret in SECRETS if secret in text], (where, text)


@pytest.fixture
def safe(tmp_path: Path) -> Safe:
    return Safe(Bench(tmp_path))


def user(password: str, variable: str) -> dict[str, Any]:
    """Return a resource with a password, and one more inside of variables."""
    return {
        "Type": "AWS::RDS::DBInstance",
        "DeletionPolicy": "Delete",
        "Properties": {
            "DBInstanceClass": "db.t4g.micro",
            "MasterUsername": "shop",
            "MasterUserPassword": password,
            "Tags": [{"Key": "API_TOKEN", "Value": variable}, {"Key": "stage", "Value": "dev"}],
            "ProcessorFeatures": [{"Name": "apiKey", "Value": {"Fn::Join": ["", [JOINED, {"Ref": "AWS::Region"}]]}}],
        },
    }


def stack(**resources: Any) -> StackArtifact:
    parameters = {
        "Given": {"Type": "String", "NoEcho": True},
        "Defaulted": {"Type": "String", "NoEcho": "true", "Default": DEFAULT},
    }
    made = artifact(NAME, parameters=parameters, Jobs=queue(), **resources)
    outputs = {"Place": {"Value": {"Ref": "Jobs"}}}
    return replace(made, template={**made.template, "Outputs": outputs})


def test_plans_show_what_changes_but_no_secret(safe: Safe) -> None:
    first, second = stack(Data=user(OLDER, OLDER)), stack(Data=user(NAMED, INSIDE))

    new = safe.plan(first)
    safe.deploy(first)
    assert safe.errors == []
    update = safe.plan(second)

    assert "Data" in new
    for path in ("MasterUserPassword", "Tags"):
        assert path in update
    assert "stage" in update, "what is no secret is shown"
    safe.check()


def test_an_estimate_shows_none_either(safe: Safe) -> None:
    safe.deploy(stack(Data=user(OLDER, OLDER)))
    other = artifact("other")
    later = replace(
        stack(Data=user(NAMED, INSIDE)),
        parameters={},
        depends_on=frozenset({"other"}),
    )
    template = {**later.template, "Parameters": {**later.template["Parameters"], "Url": {"Type": "String"}}}
    source: Any = artifact(needs={"Url": ("other", "Url")}).parameters
    later = replace(later, template=template, parameters=source)

    deployer = safe.deployer()
    plan = deployer.plan([other, later])

    assert plan.stacks[1].estimated
    assert "MasterUserPassword" in safe.keep(plan.to_text(), plan.to_json(), plan.to_markdown())
    safe.check()


@pytest.mark.parametrize("secret", SECRETS)
def test_reasons_that_repeat_a_secret_lose_it(safe: Safe, secret: str) -> None:
    made = stack(Data=user(NAMED, INSIDE))
    first = stack(Data=user(OLDER, OLDER))
    safe.deploy(first)
    safe.bench.fake.script("Data", "UPDATE", fails=f"Invalid password: {secret} is too weak", takes=5)
    safe.bench.fake.script("More", fails=f"also {secret}", takes=5)

    safe.plan(made)
    safe.deploy(changed(made, More=queue()))

    (error,) = safe.errors
    assert "Invalid password: **** is too weak" in str(error)
    assert any("Invalid password: ****" in text for text in safe.told.everything())
    safe.check()


@pytest.mark.parametrize("secret", [GIVEN, NAMED])
@pytest.mark.parametrize(
    ("operation", "code", "status"),
    [
        ("CreateChangeSet", "ValidationError", 400),
        ("CreateChangeSet", "AccessDenied", 403),
        ("DescribeStacks", "Odd", 400),
        ("ExecuteChangeSet", "Odd", 400),
        ("DescribeStackEvents", "Odd", 400),
        ("DescribeChangeSet", "InternalFailure", 500),
        ("CreateChangeSet", "ExpiredToken", 403),
    ],
)
def test_refusals_that_repeat_a_secret_lose_it(safe: Safe, operation: str, code: str, status: int, secret: str) -> None:
    refuse(safe.bench, operation, code, status, f"Parameter 'Given' has the value {secret}, which is refused")
    made = stack(Data=user(NAMED, INSIDE))

    safe.attempt(lambda: safe.plan(made))
    safe.deploy(made)

    assert "has the value ****" in str(safe.errors[-1])
    safe.check()


def test_early_validation_and_hooks_lose_it(safe: Safe) -> None:
    made = stack(Data=user(NAMED, INSIDE))
    safe.bench.fake.world.validation_failures["Data"] = ("PROPERTY_VALIDATION", "/Resources/Data", f"{NAMED} is bad")
    safe.deploy(made)
    safe.bench.fake.world.validation_failures.clear()
    safe.bench.fake.world.hooks["Data"] = ("Acme::Secrets::Hook", f"found {NAMED}")
    safe.deploy(made)

    assert len(safe.errors) == 2
    safe.check()


def test_a_value_that_is_no_secret_stays(safe: Safe) -> None:
    """The tests above could not fail if everything were masked."""
    made = changed(stack(), Jobs=queue(QueueName="planted-open-value"))

    shown = safe.plan(made)
    safe.bench.fake.script("Jobs", fails="planted-open-value is taken")
    safe.deploy(made)

    assert "Jobs" in shown
    assert "planted-open-value" in str(safe.errors[0])
    assert any("planted-open-value" in text for text in safe.told.everything())


def test_a_plan_that_is_kept_has_no_value_for_a_hidden_parameter(safe: Safe) -> None:
    deployer = safe.deployer(Open="shown")
    made = replace(stack(), template={**stack().template})
    made.template["Parameters"]["Open"] = {"Type": "String"}

    kept = deployer.plan([made]).to_data(artifacts=True)

    assert kept["target"]["parameters"] == {"Open": "shown"}
    assert GIVEN not in json.dumps(kept)


def refuse(bench: Bench, operation: str, code: str, status: int, message: str) -> None:
    """Let each call of an operation by the deployer be refused."""
    real = bench.fake.call

    def call(asked: str, parameters: dict[str, Any], **how: Any) -> dict[str, Any]:
        if asked == operation and how.get("caller", "outsider") != "outsider":
            raise ServiceError(code, message, status=status)
        return real(asked, parameters, **how)

    fake: Any = bench.fake
    fake.call = call
