"""Names in templates: found, and changed without touching anything else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archlib.deploy.references import needs, renamed, spread, variables

OLD, NEW = "Jobs", "Tasks"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"Ref": "Jobs"}, {"Ref": "Tasks"}),
        ({"Ref": "JobsDlq"}, {"Ref": "JobsDlq"}),
        ({"Ref": "Jobs", "Other": 1}, {"Ref": "Jobs", "Other": 1}),
        ({"Fn::GetAtt": ["Jobs", "Arn"]}, {"Fn::GetAtt": ["Tasks", "Arn"]}),
        ({"Fn::GetAtt": "Jobs.Arn"}, {"Fn::GetAtt": "Tasks.Arn"}),
        ({"Fn::GetAtt": ["Jobs", {"Ref": "Jobs"}]}, {"Fn::GetAtt": ["Tasks", {"Ref": "Tasks"}]}),
        ({"Fn::Sub": "${Jobs}/${Jobs.Arn}"}, {"Fn::Sub": "${Tasks}/${Tasks.Arn}"}),
        ({"Fn::Sub": "${!Jobs} Jobs ${JobsDlq}"}, {"Fn::Sub": "${!Jobs} Jobs ${JobsDlq}"}),
        ({"Fn::Sub": ["${Jobs}", {"Jobs": "x"}]}, {"Fn::Sub": ["${Jobs}", {"Jobs": "x"}]}),
        (
            {"Fn::Sub": ["${Jobs.Arn}${A}", {"A": {"Ref": "Jobs"}}]},
            {"Fn::Sub": ["${Tasks.Arn}${A}", {"A": {"Ref": "Tasks"}}]},
        ),
        ({"Fn::Join": ["", ["Jobs", {"Ref": "Jobs"}]]}, {"Fn::Join": ["", ["Jobs", {"Ref": "Tasks"}]]}),
        ({"Fn::If": ["Jobs", {"Ref": "Jobs"}, "Jobs"]}, {"Fn::If": ["Jobs", {"Ref": "Tasks"}, "Jobs"]}),
        ({"Name": "Jobs", "Jobs": "${Jobs}"}, {"Name": "Jobs", "Jobs": "${Jobs}"}),
    ],
)
def test_only_references_change(before: Any, after: Any) -> None:
    template = {
        "Metadata": {"Ref": "Jobs"},
        "Conditions": {"Jobs": {"Fn::Equals": ["Jobs", "Jobs"]}},
        "Resources": {
            "Jobs": {"Type": "Jobs", "Condition": "Jobs", "Properties": {}},
            "User": {"Type": "X", "DependsOn": ["Jobs", "Other"], "Properties": {"P": before}, "Metadata": before},
            "Last": {"Type": "X", "DependsOn": "Jobs"},
        },
        "Outputs": {"Jobs": {"Value": before, "Condition": "Jobs", "Export": {"Name": "Jobs"}}},
    }

    assert renamed(template, {OLD: NEW}) == {
        "Metadata": {"Ref": "Jobs"},
        "Conditions": {"Jobs": {"Fn::Equals": ["Jobs", "Jobs"]}},
        "Resources": {
            "Tasks": {"Type": "Jobs", "Condition": "Jobs", "Properties": {}},
            "User": {"Type": "X", "DependsOn": ["Tasks", "Other"], "Properties": {"P": after}, "Metadata": after},
            "Last": {"Type": "X", "DependsOn": "Tasks"},
        },
        "Outputs": {"Jobs": {"Value": after, "Condition": "Jobs", "Export": {"Name": "Jobs"}}},
    }


_IDS = st.sampled_from(["Jobs", "Table", "Topic"])
_WORDS = st.sampled_from(["Jobs", "Table", "a", "${!Jobs}", "Jobs.Arn", "$", "{Jobs}"])
_TEXTS = st.lists(
    st.one_of(_WORDS, _IDS.map(lambda name: f"${{{name}}}"), _IDS.map(lambda name: f"${{{name}.Arn}}")), max_size=4
).map("".join)
_VALUES: Any = st.recursive(
    st.one_of(
        _WORDS,
        st.integers(),
        st.booleans(),
        _IDS.map(lambda name: {"Ref": name}),
        _IDS.map(lambda name: {"Fn::GetAtt": [name, "Arn"]}),
        _IDS.map(lambda name: {"Fn::GetAtt": f"{name}.Arn"}),
        _TEXTS.map(lambda text: {"Fn::Sub": text}),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["Jobs", "Name", "Ref2", "Value"]), inner, max_size=3),
        st.tuples(_TEXTS, st.dictionaries(_IDS, inner, max_size=2)).map(lambda pair: {"Fn::Sub": list(pair)}),
    ),
    max_leaves=8,
)
_RESOURCES = st.fixed_dictionaries(
    {"Type": st.just("T"), "Properties": st.dictionaries(_WORDS, _VALUES, max_size=3)},
    optional={"DependsOn": st.one_of(_IDS, st.lists(_IDS)), "Condition": _IDS},
)
_TEMPLATES = st.fixed_dictionaries(
    {"Resources": st.fixed_dictionaries(dict.fromkeys(("Jobs", "Table", "Topic"), _RESOURCES))},
    optional={"Outputs": st.dictionaries(_IDS, st.fixed_dictionaries({"Value": _VALUES}))},
)


@settings(deadline=None)
@given(template=_TEMPLATES, names=st.permutations(["Jobs", "Table", "Topic", "New", "Other", "More"]))
def test_renaming_there_and_back_changes_nothing(template: Any, names: list[str]) -> None:
    mapping = dict(zip(("Jobs", "Table", "Topic"), names, strict=False))

    assume(variables(template).isdisjoint(mapping.values()))

    there = renamed(template, mapping)

    assert set(there["Resources"]) == set(mapping.values())
    assert renamed(there, {new: old for old, new in mapping.items()}) == template


@settings(deadline=None)
@given(template=_TEMPLATES)
def test_what_is_renamed_is_needed_under_its_new_name_only(template: Any) -> None:
    there = renamed(template, {"Jobs": "Fresh"})

    for name, resource in template["Resources"].items():
        before = needs(resource, {"Jobs", "Table", "Topic"})
        after = needs(there["Resources"]["Fresh" if name == "Jobs" else name], {"Fresh", "Jobs", "Table", "Topic"})
        assert after == {"Fresh" if each == "Jobs" else each for each in before}


def test_what_a_resource_uses_is_found_through_conditions() -> None:
    template = {
        "Parameters": {"Stage": {}, "Size": {}, "Unused": {}},
        "Mappings": {"Sizes": {}},
        "Conditions": {
            "IsBig": {"Fn::And": [{"Condition": "IsProd"}, {"Fn::Equals": [{"Ref": "Size"}, "big"]}]},
            "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, {"Fn::FindInMap": ["Sizes", "a", "b"]}]},
            "Unused": {"Fn::Equals": [{"Ref": "Unused"}, ""]},
        },
    }
    resource = {"Type": "T", "Properties": {"A": {"Fn::If": ["IsBig", 1, 2]}}}

    used = spread({"X": resource}, template, ("Parameters", "Conditions", "Mappings"))

    assert used == {
        ("Conditions", "IsBig"), ("Conditions", "IsProd"), ("Parameters", "Stage"), ("Parameters", "Size"),
        ("Mappings", "Sizes"),
    }  # fmt: skip
    assert spread({"X": {"Type": "T", "Condition": "Unused"}}, template, ("Parameters",)) == set()
    assert ("Conditions", "Unused") in spread({"X": {"Type": "T", "Condition": "Unused"}}, template, ("Conditions",))
