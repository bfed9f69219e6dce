from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import ValidationError
from troposphere import GetAtt, Ref

from archlib.blueprints import serverless_settings
from archlib.blueprints.base import Settings
from archlib.blueprints.derive import Derived, describe, settings_of
from archlib.components.apis.http_api import HttpApi
from archlib.components.apis.rest_api import RestApi
from archlib.components.data.database import Database
from archlib.components.data.table import Table
from archlib.components.edge.firewall import Firewall
from archlib.components.functions.function import Function
from archlib.components.functions.schedule import Schedule
from archlib.components.functions.state_machine import StateMachine
from archlib.components.identity.key import Key
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
from archlib.components.observability.tracing import Tracing
from archlib.components.storage.bucket import Bucket
from archlib.core.stack import Stack
from archlib.core.values import Value, encode


@dataclass(frozen=True)
class Wheel:
    """How it rolls.

    Attributes:
        size: inches
            across.
        spokes: how many.
        sold: days it was sold on.
        motor: what only Python passes.
    """

    size: int
    spokes: int = 32
    sold: Sequence[date] = field(default_factory=tuple)
    motor: Stack | None = None

    SHORT: ClassVar[str] = "size"


@dataclass(frozen=True)
class Bell:
    """How it rings."""

    tone: str = "high"


class Bicycle:
    """A bicycle.

    Args:
        stack: where it goes.
        name: its name.
        gears: number of gears; see :class:`Wheel` and
            :meth:`~archlib.components.Bicycle.ride`.
        colour: any.
        pause: between rides.
        papers: the file.
        wheels: two of them.
        bell: the bell.
        extras: more.
        rider: who rides.
        owner: left out.
        key: left out.
    """

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        gears: int,
        colour: Literal["red", "blue"] = "red",
        pause: timedelta = timedelta(minutes=90),
        papers: Path | None = None,
        wheels: Sequence[Wheel] = (),
        bell: Bell | None = None,
        extras: Mapping[str, Value] | None = None,
        rider: Value = "me",
        owner: Stack | None = None,
        key: Key | None = None,
    ) -> None:
        raise NotImplementedError

    def ride(self, target: Stack, *, distance: float = 1.5) -> None:
        """Ride.

        Args:
            target: where to.
            distance: in kilometres.
        """


BicycleSettings: Any = settings_of(Bicycle, without=("owner",))


def chosen(**settings: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = BicycleSettings.model_validate({"gears": 3, **settings}).arguments()
    return arguments


def test_settings_are_what_the_constructor_takes_and_the_blueprint_does_not_give() -> None:
    assert list(BicycleSettings.model_fields) == [
        *("gears", "colour", "pause", "papers", "wheels", "bell", "extras", "rider"),
    ]
    assert chosen() == {
        "gears": 3,
        "colour": "red",
        "pause": timedelta(minutes=90),
        "papers": None,
        "wheels": (),
        "bell": None,
        "extras": None,
        "rider": "me",
    }


def test_methods_have_settings_too() -> None:
    ride: Any = settings_of(Bicycle.ride, without=("target",))

    assert ride(distance=3).arguments() == {"distance": 3.0}
    assert ride.describe() == {"distance": "In kilometres."}
    assert (BicycleSettings.__name__, ride.__name__) == ("BicycleSettings", "BicycleRideSettings")


@pytest.mark.parametrize(
    ("given", "field", "expected"),
    [
        ({"gears": 7}, "gears", 7),
        ({"colour": "blue"}, "colour", "blue"),
        ({"pause": "1h30m"}, "pause", timedelta(minutes=90)),
        ({"pause": timedelta(seconds=1)}, "pause", timedelta(seconds=1)),
        ({"papers": "papers.pdf"}, "papers", Path("papers.pdf")),
        ({"rider": "you"}, "rider", "you"),
        ({"rider": 12}, "rider", "12"),
        ({"extras": {"lamp": "on", "count": 2}}, "extras", {"lamp": "on", "count": "2"}),
        ({"bell": {}}, "bell", Bell()),
        ({"bell": {"tone": "low"}}, "bell", Bell("low")),
        ({"bell": Bell("low")}, "bell", Bell("low")),
        ({"wheels": [{"size": 28}, {"size": 26, "spokes": 24}]}, "wheels", (Wheel(28), Wheel(26, 24))),
        ({"wheels": ["28"]}, "wheels", (Wheel(28),)),
        ({"wheels": (Wheel(20),)}, "wheels", (Wheel(20),)),
        ({"wheels": [{"size": 28, "sold": ["2030-01-31"]}]}, "wheels", (Wheel(28, sold=(date(2030, 1, 31),)),)),
    ],
)
def test_a_setting_becomes_what_the_constructor_wants(given: dict[str, Any], field: str, expected: Any) -> None:
    assert chosen(**given)[field] == expected


@pytest.mark.parametrize("value", [Ref("Other"), GetAtt("Other", "Arn"), {"Ref": "Other"}, {"Fn::Sub": "${Other}"}])
def test_an_intrinsic_stands_wherever_a_value_does(value: Any) -> None:
    assert encode(chosen(rider=value)["rider"]) == encode(value)


@pytest.mark.parametrize(
    "given",
    [
        {"gears": "many"},
        {"gears": None},
        {"colour": "green"},
        {"pause": 90},
        {"pause": "90"},
        {"pause": None},
        {"pause": True},
        {"rider": {"ref": "Other"}},
        {"rider": {"Ref": "Other", "Fn::Sub": "x"}},
        {"rider": ["me"]},
        {"bell": "low"},
        {"bell": {"tune": "low"}},
        {"wheels": [{}]},
        {"wheels": [{"size": 28, "motor": None}]},
        {"wheels": {"size": 28}},
        {"owner": None},
        {"key": None},
        {"stack": None},
    ],
)
def test_refuses_what_the_constructor_would_not_understand(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        chosen(**given)


def test_paths_are_relative_to_the_file_that_names_them() -> None:
    context = {"folder": Path("/shop")}

    for text, path in (("papers.pdf", "/shop/papers.pdf"), ("../papers.pdf", "/shop/../papers.pdf"), ("/a", "/a")):
        found = BicycleSettings.model_validate({"gears": 3, "papers": text}, context=context)
        assert found.papers == Path(path)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        BicycleSettings(gears=3).gears = 4


def test_dataclasses_have_settings_too() -> None:
    wheel: Any = settings_of(Wheel, without=("spokes",))

    assert wheel(size=28).arguments() == {"size": 28, "sold": ()}
    assert wheel.describe() == {"size": "Inches across.", "sold": "Days it was sold on."}


def test_a_parameter_that_no_file_can_hold_has_to_be_left_out() -> None:
    with pytest.raises(TypeError, match=r"no setting can hold .*Stack.*; leave the parameter out of the settings"):
        settings_of(Bicycle)


def test_a_blueprint_may_take_more_than_the_constructor() -> None:
    class More(BicycleSettings):  # type: ignore[misc]
        """With more."""

        owner: str = ""
        """Who has it."""

    more: Any = More(gears=3, owner="me")

    assert "owner" not in more.arguments()
    assert more.owner == "me"
    assert More.describe() == {**BicycleSettings.describe(), "owner": "Who has it."}


def test_descriptions_are_those_of_the_docstring() -> None:
    described = BicycleSettings.describe()

    assert described["gears"] == "Number of gears; see Wheel and ride."
    assert described["rider"] == "Who rides."
    assert describe(Wheel) == {
        "size": "inches across.",
        "spokes": "how many.",
        "sold": "days it was sold on.",
        "motor": "what only Python passes.",
    }
    assert describe(Settings) == {}


def test_the_schema_has_names_defaults_and_short_forms() -> None:
    schema = BicycleSettings.model_json_schema()
    properties = schema["properties"]

    assert schema["required"] == ["gears"]
    assert schema["additionalProperties"] is False
    assert properties["pause"]["default"] == "1h30m"
    assert properties["pause"]["type"] == "string"
    assert properties["colour"]["enum"] == ["red", "blue"]
    assert properties["gears"]["description"] == "Number of gears; see Wheel and ride."
    assert {"type": "string"} in properties["wheels"]["items"]["anyOf"]
    assert {"type": "string"} not in properties["bell"]["anyOf"]
    assert {"type": "object", "maxProperties": 1} in properties["rider"]["anyOf"]


# What a blueprint fills in itself, beside stack, name and key.
FILLED_IN = {
    "Function": {"network"},
    "StateMachine": {"definition", "on_failure"},
    "Database": {"network", "events"},
    "Secret": {"rotation"},
    "UserPool": {"sender"},
    "Rule": {"targets", "bus", "pattern"},
    "Delivery": {"bucket", "search", "source"},
    "Schedule": {"target", "group"},
    "RestApi": {"authorizer"},
    "HttpApi": {"authorizer"},
}


@pytest.mark.parametrize(
    "component",
    [
        *(
            Bucket,
            Bus,
            Database,
            Delivery,
            Firewall,
            Function,
            HttpApi,
            Parameter,
            Queue,
            RestApi,
            Rule,
            Schedule,
            Secret,
        ),
        *(StateMachine, Stream, Table, Topic, Tracing, UserPool, Vpc),
    ],
)
def test_every_parameter_of_a_component_is_a_setting_with_its_default_and_description(component: Any) -> None:
    name = "Network" if component is Vpc else component.__name__
    settings: type[Derived] = getattr(serverless_settings, f"{name}Settings")
    left_out = {"self", "stack", "name", "key", *FILLED_IN.get(component.__name__, ())}
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(component.__init__).parameters.items()
        if name not in left_out
    }

    assert list(settings.takes) == list(parameters)
    for name, parameter in parameters.items():
        field = settings.model_fields[name]
        assert field.is_required() == (parameter.default is inspect.Parameter.empty), name
        assert settings.describe()[name], name
        if not field.is_required():
            assert field.default == parameter.default, name
