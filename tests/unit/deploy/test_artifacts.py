"""Code and large templates: uploaded once, under a name that stands for the content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from archlib.core.artifact import ParameterSource, StackArtifact
from archlib.core.package import pack, write_zip
from archlib.core.target import ASSETS_OUTPUT, BOOTSTRAP_STACK
from archlib.deploy.artifacts import Uploads
from archlib.deploy.aws import Aws, Identity
from archlib.deploy.cloudformation import INLINE_BYTES
from archlib.deploy.deployer import Deployer
from archlib.errors import AwsError, SettingsError
from archlib.local import LocalEngine
from deploying import Bench, artifact, queue, session
from fakes import Buckets, ScriptedServices, ServiceError

BUCKET = "archlib-assets"


class Shop:
    """A bench with a bucket for assets, in memory."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.services = ScriptedServices()
        self.buckets = Buckets({BUCKET: set()})
        self.buckets.serve(self.services)
        bench.others["s3"] = self.services.attach(session().client("s3"))
        bench.deploy(artifact(BOOTSTRAP_STACK, outputs={ASSETS_OUTPUT: BUCKET}))
        bench.fake.calls.clear()

    def uploads(self) -> Uploads:
        return self.bench.deployer().uploads()

    def puts(self) -> list[dict[str, Any]]:
        return [call.parameters for call in self.services.calls if call.operation == "PutObject"]


@pytest.fixture
def shop(bench: Bench) -> Shop:
    return Shop(bench)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "index.py").write_text("def handler(event, context):\n    return {}\n")
    return folder


def test_code_goes_once_and_names_its_content(shop: Shop, code: Path) -> None:
    asset = pack(code)
    uploads = shop.uploads()

    uploads.asset(asset)
    uploads.asset(asset)
    shop.uploads().asset(asset)

    (put,) = shop.puts()
    assert put["Key"] == f"assets/{asset.sha256}.zip"
    assert (put["IfNoneMatch"], put["ExpectedBucketOwner"]) == ("*", "123456789012")
    assert shop.buckets.bodies[BUCKET, asset.key] == write_zip(code)
    assert shop.services.count("s3", "HeadObject") == 2  # once for each run


def test_code_that_changed_since_is_refused(shop: Shop, code: Path) -> None:
    asset = pack(code)
    (code / "index.py").write_text("changed")

    with pytest.raises(SettingsError, match="must be as it was when the stacks were made; run the command again"):
        shop.uploads().asset(asset)
    with pytest.raises(SettingsError, match="must be as it was"):
        shop.uploads().asset(replace(asset, path=str(code / "gone")))
    assert shop.puts() == []


def test_code_that_is_there_may_be_gone_here(shop: Shop, code: Path) -> None:
    asset = pack(code)
    shop.uploads().asset(asset)

    shop.uploads().asset(replace(asset, path="/gone"))

    assert len(shop.puts()) == 1


def test_somebody_who_was_faster_uploaded_the_same(shop: Shop) -> None:
    shop.buckets.contents[BUCKET].add("key")

    shop.uploads().put("key", b"data")

    assert (BUCKET, "key") not in shop.buckets.bodies


def test_two_at_the_same_time_do_not_disturb_each_other(shop: Shop) -> None:
    busy = ServiceError("ConditionalRequestConflict", "come again", status=409)
    shop.services.reply("s3", "PutObject", busy, busy, {})

    uploads = shop.uploads()
    uploads.put("key", b"data")
    uploads.put("key", b"data")

    assert shop.services.count("s3", "PutObject") == 3


def test_being_busy_for_ever_ends(shop: Shop) -> None:
    shop.services.reply("s3", "PutObject", ServiceError("ConditionalRequestConflict", "come again", status=409))

    with pytest.raises(AwsError, match="come again; try again"):
        shop.uploads().put("key", b"data")
    assert shop.services.count("s3", "PutObject") == 5


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (ServiceError("NoSuchBucket", "It does not exist", status=404), "it was deleted; run: archlib bootstrap"),
        (ServiceError("PermanentRedirect", "Elsewhere", status=301), "it is not in eu-west-1; run: archlib bootstrap"),
        (ServiceError("AccessDenied", "Access Denied", status=403), "it is another account's, or you may not write"),
        (ServiceError("Odd", "", status=400), "Odd; try again"),
    ],
)
def test_a_bucket_that_does_not_take_it(shop: Shop, error: ServiceError, advice: str) -> None:
    shop.services.reply("s3", "PutObject", error)

    with pytest.raises(AwsError) as caught:
        shop.uploads().put("key", b"data")

    assert str(caught.value).startswith(f"bucket '{BUCKET}': key: ")
    assert advice in str(caught.value)


def test_a_bucket_of_another_account_is_refused(shop: Shop, code: Path) -> None:
    shop.buckets.owner = "999999999999"

    with pytest.raises(AwsError, match="it is another account's"):
        shop.uploads().put("key", b"data")
    with pytest.raises(AwsError, match="it is another account's"):
        shop.uploads().asset(pack(code))


def test_no_answer_from_the_bucket(shop: Shop, code: Path) -> None:
    gone = EndpointConnectionError(endpoint_url="https://s3")

    def no_answer(**_: Any) -> Any:
        raise gone

    client = shop.bench.others["s3"]
    client.put_object = no_answer
    with pytest.raises(AwsError, match="key cannot be uploaded: Could not connect"):
        shop.uploads().put("key", b"data")

    client.head_object = no_answer
    with pytest.raises(AwsError, match="cannot be read: Could not connect"):
        shop.uploads().asset(pack(code))


@pytest.mark.parametrize("outputs", [None, {"Other": "x"}])
def test_without_a_bucket_it_says_how_to_make_one(bench: Bench, outputs: Any) -> None:
    if outputs:
        bench.deploy(artifact(BOOTSTRAP_STACK, outputs=outputs))
    uploads = bench.deployer().uploads()

    assert not uploads.exists()
    with pytest.raises(AwsError, match="make it once with: archlib bootstrap --region eu-west-1"):
        uploads.bucket()


def test_the_bucket_is_asked_for_once(shop: Shop) -> None:
    uploads = shop.uploads()

    assert uploads.exists()
    assert uploads.bucket() == uploads.bucket() == BUCKET
    assert shop.bench.fake.count("DescribeStacks") == 1


def template(size: int) -> dict[str, Any]:
    """Return a template whose shortest text has ``size`` bytes."""
    made = {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue", "Metadata": {"x": ""}}}}
    made["Resources"]["Jobs"]["Metadata"]["x"] = "ä" * ((size - len(json.dumps(made, separators=(",", ":")))) // 2)  # type: ignore[index]
    return made


def test_a_template_is_sent_as_text_as_long_as_it_fits(shop: Shop) -> None:
    uploads = shop.uploads()

    small, tight = uploads.template(template(1000)), uploads.template(template(INLINE_BYTES))

    assert "\n" in small.body
    assert "\n" not in tight.body
    assert INLINE_BYTES - 1 <= len(tight.body.encode()) <= INLINE_BYTES
    assert small.url == tight.url == ""
    assert shop.puts() == []


def test_a_larger_template_goes_by_its_place(shop: Shop) -> None:
    large = template(INLINE_BYTES + 2)
    uploads = shop.uploads()

    source = uploads.template(large)
    assert uploads.template(large) == source

    (put,) = shop.puts()
    body = shop.buckets.bodies[BUCKET, put["Key"]]
    assert source.body == ""
    assert source.url == f"http://fake.test/{BUCKET}/{put['Key']}"
    assert put["Key"] == f"templates/{hashlib.sha256(body).hexdigest()}.json"
    assert json.loads(body) == large


@pytest.mark.parametrize(("region", "host"), [("eu-west-1", "amazonaws.com"), ("cn-north-1", "amazonaws.com.cn")])
def test_the_place_is_an_address_of_the_partition(shop: Shop, region: str, host: str) -> None:
    client = shop.bench.others["s3"]

    class Real(Aws):
        def client(self, service: str, region: str | None = None) -> Any:
            assert service == "s3"
            return client

        def identity(self) -> Identity:
            return Identity("123456789012", "arn:aws:iam::123456789012:user/a", "aws")

    cloudformation = shop.bench.run().cloudformation
    uploads = Uploads(Real(region=region), region=region, cloudformation=cloudformation)

    url = uploads.template(template(INLINE_BYTES + 2)).url

    assert url.startswith(f"https://{BUCKET}.s3.{region}.{host}/templates/")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return a stock engine: somebody else's S3 and CloudFormation."""
    engine = LocalEngine(tmp_path_factory.mktemp("engine"), stock=True)
    engine.start()
    yield engine.endpoint
    engine.reset()


@pytest.fixture
def local(endpoint: str, tmp_path: Path) -> Callable[[], Deployer]:
    return lambda: Deployer(aws=Aws(region="eu-west-1", endpoint=endpoint), journal=tmp_path / "journal")


def test_on_an_engine_that_is_not_ours(local: Callable[[], Deployer], code: Path) -> None:
    s3 = local().aws.client("s3")
    bootstrap = artifact(
        BOOTSTRAP_STACK, outputs={ASSETS_OUTPUT: {"Ref": "Assets"}}, Assets={"Type": "AWS::S3::Bucket"}
    )
    bucket = local().deploy([bootstrap]).outputs[BOOTSTRAP_STACK][ASSETS_OUTPUT]
    function = {
        "Type": "AWS::SQS::Queue",
        "Properties": {"Tags": [{"Key": "bucket", "Value": {"Ref": "AssetBucket"}}]},
    }
    padding = {f"Queue{index}": queue(Tags=[{"Key": "note", "Value": "x" * 200}]) for index in range(180)}
    made = artifact("large", parameters={"AssetBucket": {"Type": "String"}}, Jobs=function, **padding)
    stack: StackArtifact = replace(
        made, assets=(pack(code),), parameters={"AssetBucket": ParameterSource("asset-bucket")}
    )
    assert len(json.dumps(stack.template, separators=(",", ":"))) > INLINE_BYTES

    assert local().deploy([stack]).results["large"].action == "created"

    def listed() -> dict[str, Any]:
        return {each["Key"]: each["LastModified"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]}

    first = listed()
    assert sorted(key.split("/")[0] for key in first) == ["assets", "templates"]
    assert s3.get_object(Bucket=bucket, Key=pack(code).key)["Body"].read() == write_zip(code)
    assert local().deploy([stack]).results["large"].action == "unchanged"
    uploads = local().uploads()
    uploads.put(pack(code).key, b"something else")
    assert s3.get_object(Bucket=bucket, Key=pack(code).key)["Body"].read() == write_zip(code)
    assert listed() == first
