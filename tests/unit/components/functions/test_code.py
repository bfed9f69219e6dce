from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from archlib import Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.errors import SettingsError

Rendered = Callable[[], dict[str, Any]]
HANDLER = "def handler(event, context):\n    return event\n"


def folder(path: Path, files: Mapping[str, str]) -> Path:
    path.mkdir(exist_ok=True)
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content)
    return path


def archive(path: Path, files: Mapping[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("code", "properties"),
    [
        (Code(inline=HANDLER), {"ZipFile": HANDLER}),
        (
            Code(bucket="artifacts", object_key="worker.zip", version="3"),
            {"S3Bucket": "artifacts", "S3Key": "worker.zip", "S3ObjectVersion": "3"},
        ),
        (Code(bucket="artifacts", object_key="worker.zip"), {"S3Bucket": "artifacts", "S3Key": "worker.zip"}),
        (Code(image="repository:1"), {"ImageUri": "repository:1"}),
    ],
)
def test_places_the_code(stack: Stack, rendered: Rendered, code: Code, properties: dict[str, Any]) -> None:
    Function(stack, "worker", code=code)

    assert rendered()["WorkerFunction"]["Properties"]["Code"] == properties


def test_a_folder_becomes_an_asset_that_is_uploaded_first(stack: Stack, tmp_path: Path) -> None:
    path = folder(tmp_path, {"index.py": HANDLER})

    Function(stack, "worker", code=Code(path=path))

    artifact = next(found for found in stack.app.assemble() if found.name == stack.physical_name)
    (asset,) = artifact.assets
    assert (asset.path, asset.key) == (str(path), f"assets/{asset.sha256}.zip")
    code = artifact.template["Resources"]["WorkerFunction"]["Properties"]["Code"]
    assert code == {"S3Bucket": {"Ref": "AssetBucket"}, "S3Key": asset.key}
    assert artifact.parameters["AssetBucket"].kind == "asset-bucket"


@pytest.mark.parametrize(
    ("code", "settings", "message"),
    [
        (Code(inline="x", image="y"), {}, "must be one of path, inline, bucket or image, got inline and image"),
        (Code(bucket="artifacts"), {}, "must have bucket and object_key together"),
        (Code(inline="x" * 4097), {}, "inline must be at most 4096 bytes, got 4097; use path"),
        (Code(inline=HANDLER), {"runtime": "java25"}, "inline must be Python or Node.js, got java25"),
        (
            Code(inline=HANDLER),
            {"handler": "main.handler"},
            "inline must have a handler in module 'index', got 'main.handler'",
        ),
        (Code(inline="def main(): ..."), {}, "inline must define 'handler' for handler 'index.handler'"),
        (Code(inline="def handler(:"), {}, "inline must be valid Python"),
        (Code(path=Path("/no/such/folder")), {}, "path must exist, got '/no/such/folder'"),
    ],
)
def test_refuses_code_that_cannot_run(stack: Stack, code: Code, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Function(stack, "worker", code=code, **settings)

    assert f"function 'worker': code {message}" in str(caught.value)


@pytest.mark.parametrize(
    ("files", "handler", "runtime"),
    [
        ({"index.py": HANDLER}, "index.handler", "python3.14"),
        ({"index.py": "from app import handler\n"}, "index.handler", "python3.14"),
        ({"index.py": "from app import *\n"}, "index.handler", "python3.14"),
        ({"index.py": "import app as handler\n"}, "index.handler", "python3.14"),
        ({"index.py": "handler = make()\n"}, "index.handler", "python3.14"),
        ({"index.py": "handler: object = make()\n"}, "index.handler", "python3.14"),
        ({"index.py": "async def handler(event, context): ...\n"}, "index.handler", "python3.14"),
        ({"index.py": "if True:\n    def handler(event, context): ...\n"}, "index.handler", "python3.14"),
        ({"index.py": "try:\n    import x\nexcept ImportError:\n    handler = 1\n"}, "index.handler", "python3.14"),
        ({"app/main.py": HANDLER}, "app.main.handler", "python3.14"),
        ({"app/main.py": HANDLER}, "app/main.handler", "python3.14"),
        ({"app/__init__.py": HANDLER}, "app.handler", "python3.14"),
        ({"index.mjs": "export const handler = 1"}, "index.handler", "nodejs24.x"),
        ({"src/index.js": "exports.handler = 1"}, "src/index.handler", "nodejs24.x"),
        ({"bootstrap": "binary"}, "any", "provided.al2023"),
        ({"app.jar": "binary"}, "com.example.Handler::handle", "java25"),
    ],
)
def test_finds_the_handler(stack: Stack, tmp_path: Path, files: dict[str, str], handler: str, runtime: str) -> None:
    Function(stack, "worker", code=Code(path=folder(tmp_path, files)), handler=handler, runtime=runtime)


@pytest.mark.parametrize(
    ("files", "settings", "message"),
    [
        ({"main.py": HANDLER}, {}, "must contain 'index.py' for handler 'index.handler'"),
        ({"index.py": "def other(): ..."}, {}, "index.py must define 'handler'"),
        ({"index.py": "def f():\n    handler = 1\n"}, {}, "index.py must define 'handler'"),
        ({"index.py": "def handler(:"}, {}, "index.py must be valid Python"),
        ({"main.js": ""}, {"runtime": "nodejs24.x"}, "must contain 'index.js'"),
        ({"main": ""}, {"runtime": "provided.al2023"}, "must contain 'bootstrap'"),
        ({}, {"runtime": "java25"}, "path must hold at least one file"),
    ],
)
def test_refuses_a_folder_without_the_handler(
    stack: Stack, tmp_path: Path, files: dict[str, str], settings: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Function(stack, "worker", code=Code(path=folder(tmp_path, files)), **settings)  # type: ignore[arg-type]

    assert message in str(caught.value)


def test_looks_into_a_zip(stack: Stack, tmp_path: Path) -> None:
    Function(stack, "worker", code=Code(path=archive(tmp_path / "good.zip", {"index.py": HANDLER})))

    with pytest.raises(SettingsError, match=r"must contain 'index\.py'"):
        Function(stack, "other", code=Code(path=archive(tmp_path / "bad.zip", {"main.py": HANDLER})))


def test_refuses_a_file_that_is_no_zip(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "code.zip").write_text("text")

    with pytest.raises(SettingsError, match="must be a folder or a zip file"):
        Function(stack, "worker", code=Code(path=tmp_path / "code.zip"))


def test_refuses_more_than_250_mb_unzipped(stack: Stack, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "code.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("index.py", HANDLER)
        for index in range(6):
            made.writestr(f"zeros{index}", bytes(45 * 2**20))

    with pytest.raises(SettingsError, match="at most 250 MB unzipped, got 270 MB"):
        Function(stack, "worker", code=Code(path=tmp_path / "code.zip"))


def test_refuses_more_than_50_mb_zipped(stack: Stack, tmp_path: Path) -> None:
    folder(tmp_path, {"index.py": HANDLER})
    (tmp_path / "model.bin").write_bytes(os.urandom(51 * 2**20))

    with pytest.raises(SettingsError, match="at most 50 MB zipped, got 51 MB; use layers or an image"):
        Function(stack, "worker", code=Code(path=tmp_path))


def test_takes_a_large_folder_that_packs_well(stack: Stack, tmp_path: Path) -> None:
    folder(tmp_path, {"index.py": HANDLER})
    (tmp_path / "zeros.bin").write_bytes(bytes(51 * 2**20))

    Function(stack, "worker", code=Code(path=tmp_path))


def test_refuses_files_that_lead_outside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("s", encoding="utf-8")
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "index.py").write_text("def handler(event, context):\n    return 1\n", encoding="utf-8")
    (folder / "shadow").symlink_to(tmp_path / "secret.txt")

    assert "got 'shadow', which leads outside" in Code(path=folder).problem("index.handler", "python3.14")
