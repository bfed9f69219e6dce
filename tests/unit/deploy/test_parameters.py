"""Where the values of parameters come from, and what is said when they come from nowhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from archlib.core.artifact import ParameterSource, StackArtifact
from archlib.core.origin import Origin
from archlib.deploy.parameters import check_given, given, resolve, secret_defaults, secrets
from archlib.errors import SettingsError
from deploying import artifact

TEXT = {"Type": "String"}


def stack(**parameters: Any) -> StackArtifact:
    """Return a stack; each parameter is its definition, or that and its source."""
    pairs = {name: each if isinstance(each, tuple) else (each, None) for name, each in parameters.items()}
    made = artifact("shop", parameters={name: definition for name, (definition, _) in pairs.items()})
    return replace(made, parameters={name: source for name, (_, source) in pairs.items() if source})


def values(made: StackArtifact, **more: Any) -> tuple[dict[str, str | None], frozenset[str]]:
    def never(*_: str) -> Any:
        raise AssertionError("nobody needs this")

    how: dict[str, Any] = {"outputs": never, "bucket": never, "prefix_list": never, "values": {}, **more}
    return resolve(made, **how)


def test_values_come_from_where_the_stack_says() -> None:
    made = stack(
        Url=(TEXT, ParameterSource("output", "shop-data", "QueueUrl")),
        Bucket=(TEXT, ParameterSource("asset-bucket")),
        List=(TEXT, ParameterSource("prefix-list", output="s3")),
        Size=(TEXT, ParameterSource("user")),
        Mine=TEXT,
    )

    known, unknown = values(
        made,
        outputs={"shop-data": {"QueueUrl": "https://q"}}.get,
        bucket=lambda: "assets",
        prefix_list={"s3": "pl-1"}.__getitem__,
        values={"Size": "3", "Mine": "yes", "List": "not from the user"},
    )

    assert known == {"Url": "https://q", "Bucket": "assets", "List": "pl-1", "Size": "3", "Mine": "yes"}
    assert unknown == frozenset()


@pytest.mark.parametrize("outputs", [None, {}, {"Other": "x"}])
def test_an_output_that_does_not_exist_yet_is_unknown(outputs: Any) -> None:
    made = stack(Url=(TEXT, ParameterSource("output", "shop-data", "QueueUrl")), Mine=TEXT)

    known, unknown = values(made, outputs=lambda _: outputs, values={"Mine": "x", "Url": "not from the user"})

    assert known == {"Mine": "x"}
    assert unknown == {"Url"}


def test_what_nobody_gives_keeps_what_the_stack_has() -> None:
    made = stack(Kept=TEXT, Defaulted={**TEXT, "Default": "a"}, Empty=TEXT)

    assert values(made, values={"Empty": ""}) == (
        {"Kept": None, "Defaulted": None, "Empty": ""},
        frozenset(),
    )


def test_a_value_for_one_stack_goes_before_one_for_all() -> None:
    made = stack(Size=TEXT)

    assert given(made, "Size", {"Size": "1", "shop.Size": "2"}) == "2"
    assert given(made, "Size", {"Size": "1", "other.Size": "2"}) == "1"
    assert given(made, "Size", {"Colour": "1"}) is None


@pytest.mark.parametrize(
    ("flag", "hidden"), [(True, True), ("true", True), ("True", True), (False, False), ("no", False)]
)
def test_secrets_are_known_by_noecho(flag: object, *, hidden: bool) -> None:
    made = stack(Password={**TEXT, "NoEcho": flag}, Size=TEXT)

    assert secrets(made) == ({"Password"} if hidden else frozenset())
    assert secrets(artifact()) == frozenset()


def test_the_default_of_a_secret_is_one_too() -> None:
    made = stack(Password={**TEXT, "NoEcho": True, "Default": "changeme"}, Size={**TEXT, "Default": "3"})

    assert secret_defaults(made) == {"changeme"}


def problems(*stacks: StackArtifact, values: dict[str, str], exists: bool = False) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        check_given(stacks, values, {each.name: exists for each in stacks})
    return [str(problem) for problem in caught.value.problems]


def test_all_that_is_wrong_is_told_at_once_with_what_to_do() -> None:
    first = replace(stack(Size=TEXT, Colour=TEXT), origins={"Size": Origin("shop.yaml", 7)})
    second = replace(stack(Depth=TEXT), name="more")

    told = problems(first, second, values={"Colour": "red", "Dept": "4", "shop.Sizes": "1", "Zzz": "9"})

    or_ = "or parameters in the file's targets"
    assert told == [
        f"shop.yaml:7: stack 'shop': parameter 'Size' must be given; add --parameter Size=..., {or_}",
        f"stack 'more': parameter 'Depth' must be given; add --parameter Depth=..., {or_}",
        "parameter 'Dept': no stack has it; did you mean 'Depth'?",
        "parameter 'shop.Sizes': no stack has it; did you mean 'shop.Size'?",
        "parameter 'Zzz': no stack has it; remove it",
    ]


def test_what_a_stack_gives_cannot_be_given_by_the_user() -> None:
    made = stack(Url=(TEXT, ParameterSource("output", "data", "Url")))

    assert problems(made, values={"Url": "x"}) == ["parameter 'Url': no stack has it; remove it"]


def test_what_exists_keeps_its_value_and_defaults_need_none() -> None:
    made = stack(Size=TEXT, Depth={**TEXT, "Default": "1"})

    check_given([made], {}, {"shop": True})
    check_given([made], {"shop.Size": "2"}, {"shop": False})
    assert len(problems(made, values={})) == 1
