from __future__ import annotations

from archlib.components.data.indexes import Attribute, AttributeLike, attributes, definitions, projected, schema


def test_a_plain_name_is_a_text_attribute_and_each_is_defined_once() -> None:
    keys: list[AttributeLike | None] = ["b", Attribute("a", "N"), None, Attribute("b"), "b"]

    assert attributes(keys) == [Attribute("a", "N"), Attribute("b", "S")]
    assert [definition.to_dict() for definition in definitions(keys)] == [
        {"AttributeName": "a", "AttributeType": "N"},
        {"AttributeName": "b", "AttributeType": "S"},
    ]


def test_a_key_has_one_or_two_parts() -> None:
    assert [key.to_dict() for key in schema("a", None)] == [{"AttributeName": "a", "KeyType": "HASH"}]
    assert [key.to_dict() for key in schema("a", Attribute("b", "B"))][1] == {"AttributeName": "b", "KeyType": "RANGE"}


def test_an_index_holds_all_keys_or_some_attributes() -> None:
    assert projected("ALL").to_dict() == {"ProjectionType": "ALL"}
    assert projected(["x"]).to_dict() == {"NonKeyAttributes": ["x"], "ProjectionType": "INCLUDE"}
