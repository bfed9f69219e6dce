"""Templates of the components people use most, to be read in a review.

What explains findings to scanners (the metadata) is left out; it has tests of its own.

After a change that is meant: python -m pytest tests/golden --snapshot-update, and read the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from archlib import App, Stack
from archlib.components.apis.rest_api import RestApi
from archlib.components.data.database import Database
from archlib.components.data.table import Table
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.messaging.queue import Queue
from archlib.components.network.vpc import Vpc
from archlib.components.storage.bucket import Bucket

HELLO = Code(inline="def handler(event, context):\n    return {'statusCode': 200}\n")


@pytest.fixture
def golden(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(JSONSnapshotExtension)


@pytest.fixture
def template() -> Callable[[Callable[[Stack], Any]], dict[str, Any]]:
    """Return ``template(make)``: the one template of an app with what ``make`` puts into its stack."""

    def build(make: Callable[[Stack], Any]) -> dict[str, Any]:
        app = App("shop", "prod", layout="single")
        make(Stack(app, "main"))
        (only,) = app.assemble()
        for resource in only.template["Resources"].values():
            resource.pop("Metadata", None)
        return only.template

    return build


Template = Callable[[Callable[[Stack], Any]], dict[str, Any]]


def test_queue(template: Template, golden: SnapshotAssertion) -> None:
    assert template(lambda stack: Queue(stack, "emails")) == golden


def test_function(template: Template, golden: SnapshotAssertion) -> None:
    def make(stack: Stack) -> None:
        worker = Function(stack, "worker", code=HELLO, environment={"STAGE": "prod"})
        worker.consume(Queue(stack, "jobs"))

    assert template(make) == golden


def test_table(template: Template, golden: SnapshotAssertion) -> None:
    assert template(lambda stack: Table(stack, "orders", partition_key="customer", sort_key="order")) == golden


def test_bucket(template: Template, golden: SnapshotAssertion) -> None:
    assert template(lambda stack: Bucket(stack, "uploads")) == golden


def test_rest_api(template: Template, golden: SnapshotAssertion) -> None:
    def make(stack: Stack) -> None:
        RestApi(stack, "store").route("GET /orders/{id}", Function(stack, "orders", code=HELLO))

    assert template(make) == golden


def test_database(template: Template, golden: SnapshotAssertion) -> None:
    network = Vpc.lookup(
        vpc_id="vpc-0123456789abcdef0",
        private_subnets=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        isolated_subnets=["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"],
    )

    assert template(lambda stack: Database(stack, "orders", network=network)) == golden
