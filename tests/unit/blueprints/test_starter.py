from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from textwrap import indent
from typing import Annotated, Any, ClassVar

import pytest
import yaml

from archlib.blueprints.base import Blueprint, Duration, Settings
from archlib.blueprints.registry import BUILT_IN, blueprint
from archlib.blueprints.starter import starter


@dataclass(frozen=True)
class Size:
    width: int = 3
    height: int = 4


class LampSettings(Settings):
    """A lamp."""

    watts: int
    """Power in ``W``."""

    size: Size = Size()
    """How large."""

    after: Duration = timedelta(minutes=90)
    """When it goes off."""


class RoomSettings(Settings):
    """A room."""

    lamps: Mapping[str, LampSettings] = {}
    """Lamps by name."""

    shelf: LampSettings | None = None
    """A lamp on a shelf."""

    text: str = ""
    """What hangs on the door."""


class HouseSettings(Settings):
    """A house."""

    rooms: Mapping[str, RoomSettings]
    """Rooms by name."""

    buses: Mapping[str, LampSettings] = {}
    """What stops there."""

    spare: tuple[Annotated[LampSettings, "in the cellar"], ...] | None = ()
    """Lamps without a room."""

    porch: LampSettings | None = None
    """Lamp at the door, which is on as long as it is dark; it goes off when the sun has risen and everybody can see."""


class House(Blueprint):
    """A house to live in.

    And more of it.
    """

    name: ClassVar[str] = "house"
    Settings = HouseSettings
    starter: ClassVar[Mapping[str, Any]] = {
        "rooms": {"hall": {"lamps": {"sun": {"watts": 60}}, "text": "come\nin\n"}, "attic": {}, "short": "x: y"},
        "porch": {"watts": 5},
    }


EXPECTED = """\
# Rooms by name.
rooms:
  hall:
    # Lamps by name.
    lamps:
      sun:
        # Power in W.
        watts: 60
        # How large.
        # size: {width: 3, height: 4}
        # When it goes off.
        # after: 1h30m
    # A lamp on a shelf.
    # shelf:
    #   # Power in W.
    #   watts: null
    #   # How large.
    #   size: {width: 3, height: 4}
    #   # When it goes off.
    #   after: 1h30m
    # What hangs on the door.
    text: |
      come
      in
  attic:
    # Lamps by name.
    # lamps:
    #   my-lamp:
    #     # Power in W.
    #     watts: null
    #     # How large.
    #     size: {width: 3, height: 4}
    #     # When it goes off.
    #     after: 1h30m
    # A lamp on a shelf.
    # shelf:
    #   # Power in W.
    #   watts: null
    #   # How large.
    #   size: {width: 3, height: 4}
    #   # When it goes off.
    #   after: 1h30m
    # What hangs on the door.
    # text: ''
  short: 'x: y'
# What stops there.
# buses:
#   my-bus:
#     # Power in W.
#     watts: null
#     # How large.
#     size: {width: 3, height: 4}
#     # When it goes off.
#     after: 1h30m
# Lamps without a room.
# - watts (required): Power in W.
# - size ({width: 3, height: 4}): How large.
# - after (1h30m): When it goes off.
# spare: []
# Lamp at the door, which is on as long as it is dark; it goes off when the sun has risen and
# everybody can see.
porch:
  # Power in W.
  watts: 5
  # How large.
  # size: {width: 3, height: 4}
  # When it goes off.
  # after: 1h30m
"""


def test_a_starter_file_has_what_is_given_and_all_else_as_comments() -> None:
    text = starter(House, "my-house")

    head, _, rest = text.partition("settings:\n")
    body, _, tail = rest.partition("\n\n")
    assert head.startswith("# A house to live in.\n# Settings behind a '#' show")
    assert "\nblueprint: house\n" in head
    assert "\napp: my-house\n" in head
    assert "\nenvironment: dev\n" in head
    assert body + "\n" == indent(EXPECTED, "  ")
    for key in ("environments", "tags", "removal", "layout", "links", "waivers", "overrides"):
        assert f"\n# {key}: " in f"\n{tail}"


def test_a_starter_file_is_the_starter_as_yaml() -> None:
    content = yaml.safe_load(starter(House, "my-house"))

    assert content.pop("settings") == {
        "rooms": {"hall": {"lamps": {"sun": {"watts": 60}}, "text": "come\nin\n"}, "attic": None, "short": "x: y"},
        "porch": {"watts": 5},
    }
    assert content == {"blueprint": "house", "app": "my-house", "environment": "dev"}


def test_an_example_may_say_what_defaults_cannot() -> None:
    class Hut(House):
        """A hut."""

        starter: ClassVar[Mapping[str, Any]] = {"rooms": {"hall": {"text": "x"}}}
        examples: ClassVar[Mapping[str, Any]] = {
            "rooms": {"hall": {"shelf": {"watts": 7}}},
            "buses": {"night-bus": {"watts": 9}},
            "porch": {"watts": 8},
        }

    lines = starter(Hut, "hut").splitlines()

    for line in ("      #   watts: 7", "  #   night-bus:", "  #     watts: 9", "  #   watts: 8"):
        assert line in lines


def test_settings_inside_an_example_are_switched_on_one_by_one() -> None:
    class Street(House):
        """A street."""

        starter: ClassVar[Mapping[str, Any]] = {"buses": {}}

    text = starter(Street, "street")

    assert (
        """\
  # rooms:
  #   my-room:
  #     # Lamps by name.
  #     # lamps:
  #     #   my-lamp:
  #     #     # Power in W.
  #     #     watts: null
"""
        in text
    )


@pytest.mark.parametrize("name", BUILT_IN)
def test_no_line_is_too_long_to_read(name: str) -> None:
    long = [line for line in starter(blueprint(name), "my-app").splitlines() if len(line) > 114 and ": [{" not in line]

    assert long == []


@pytest.mark.parametrize(("name", "first"), [("microservices", "services"), ("multi-tier", "presentation")])
def test_what_a_blueprint_is_about_comes_before_what_it_shares(name: str, first: str) -> None:
    text = starter(blueprint(name), "my-app")

    sections = re.findall(r"^  (?:# )?(\w+):", text.partition("\nsettings:\n")[2], re.MULTILINE)
    assert sections[0] == first
    assert sections.index("entry") < sections.index("tables")
