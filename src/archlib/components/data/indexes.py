"""Keys and indexes of a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from troposphere import dynamodb

from archlib.components.data.capacity import Provisioned
from archlib.core.component import Check
from archlib.core.naming import check_name

_INDEX_NAME_MIN = 3
_GLOBAL_MAX, _LOCAL_MAX, _PROJECTED_MAX = 20, 5, 100


@dataclass(frozen=True, slots=True, order=True)
class Attribute:
    """A key attribute.

    Attributes:
        name: its name in the items, 1 to 255 characters.
        type: ``S`` text, ``N`` number, ``B`` bytes.
    """

    name: str
    type: Literal["S", "N", "B"] = "S"


AttributeLike = str | Attribute
Projection = Literal["ALL", "KEYS_ONLY"] | Sequence[str]


@dataclass(frozen=True, slots=True)
class GlobalIndex:
    """Another way to find items, by other keys.

    Attributes:
        name: kebab-case, 3 characters or more.
        partition_key: a text attribute by its name, or an :class:`Attribute`.
        sort_key: the same, for the order within a partition.
        projection: what the index holds: ``ALL``, ``KEYS_ONLY``, or the names of attributes beside the keys.
        capacity: for a table with ``capacity``; the table's by default.
    """

    name: str
    partition_key: AttributeLike
    sort_key: AttributeLike | None = None
    projection: Projection = "ALL"
    capacity: Provisioned | None = None


@dataclass(frozen=True, slots=True)
class LocalIndex:
    """Another order within the partitions of the table; it can be added only when the table is made.

    Attributes:
        name: kebab-case, 3 characters or more.
        sort_key: a text attribute by its name, or an :class:`Attribute`.
        projection: what the index holds: ``ALL``, ``KEYS_ONLY``, or the names of attributes beside the keys.
    """

    name: str
    sort_key: AttributeLike
    projection: Projection = "ALL"


def check_indexes(
    check: Check, global_indexes: Sequence[GlobalIndex], local_indexes: Sequence[LocalIndex], *, sorted_table: bool
) -> None:
    """Note what is wrong with the indexes of one table."""
    indexes: list[GlobalIndex | LocalIndex] = [*global_indexes, *local_indexes]
    names = [check_name(index.name, "index") for index in indexes]
    for name in names:
        check.that(len(name) >= _INDEX_NAME_MIN, "index name", f"{_INDEX_NAME_MIN} characters or more", name)
    check.that(len(set(names)) == len(names), "index names", "all different", names)
    check.that(len(global_indexes) <= _GLOBAL_MAX, "global_indexes", f"at most {_GLOBAL_MAX}", len(global_indexes))
    check.that(len(local_indexes) <= _LOCAL_MAX, "local_indexes", f"at most {_LOCAL_MAX}", len(local_indexes))
    check.that(sorted_table or not local_indexes, "sort_key", "set for a table with local_indexes", None, "set one")
    projected = sum(len(index.projection) for index in indexes if not isinstance(index.projection, str))
    check.that(projected <= _PROJECTED_MAX, "projected attributes", f"at most {_PROJECTED_MAX} in all", projected)


def check_attributes(check: Check, attributes: Iterable[Attribute]) -> None:
    """Note a key attribute with two types, or with none that DynamoDB has."""
    types: dict[str, str] = {}
    for attribute in attributes:
        check.one_of(f"type of key attribute {attribute.name!r}", attribute.type, ("S", "N", "B"))
        first = types.setdefault(attribute.name, attribute.type)
        check.that(
            first == attribute.type, f"type of key attribute {attribute.name!r}", "the same everywhere",
            f"{first} and {attribute.type}",
        )  # fmt: skip


def attributes(keys: Iterable[AttributeLike | None]) -> list[Attribute]:
    """Return the distinct attributes among ``keys``, sorted; a plain name is one of text."""
    return sorted({_attribute(key) for key in keys if key is not None})


def definitions(keys: Iterable[AttributeLike | None]) -> list[dynamodb.AttributeDefinition]:
    """Return the definition of each attribute among ``keys``."""
    return [
        dynamodb.AttributeDefinition(AttributeName=attribute.name, AttributeType=attribute.type)
        for attribute in attributes(keys)
    ]


def schema(partition_key: AttributeLike, sort_key: AttributeLike | None) -> list[dynamodb.KeySchema]:
    """Return the key of a table or index."""
    keys = [dynamodb.KeySchema(AttributeName=_attribute(partition_key).name, KeyType="HASH")]
    if sort_key is not None:
        keys.append(dynamodb.KeySchema(AttributeName=_attribute(sort_key).name, KeyType="RANGE"))
    return keys


def projected(projection: Projection) -> dynamodb.Projection:
    """Return what an index holds."""
    if isinstance(projection, str):
        return dynamodb.Projection(ProjectionType=projection)
    return dynamodb.Projection(ProjectionType="INCLUDE", NonKeyAttributes=list(projection))


def _attribute(key: AttributeLike) -> Attribute:
    return Attribute(key) if isinstance(key, str) else key
