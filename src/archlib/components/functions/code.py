"""Where a function's code comes from."""

from __future__ import annotations

import ast
import hashlib
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import ClassVar

from troposphere import awslambda

from archlib.core.artifact import Asset
from archlib.core.stack import Stack

_ZIP_MAX, _UNZIPPED_MAX, _INLINE_MAX = 50 * 2**20, 250 * 2**20, 4096
_LEFT_OUT = frozenset(
    {".env", "__pycache__", ".git", ".venv", ".DS_Store", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
)


@dataclass(frozen=True, slots=True)
class Code:
    """Code of a function: exactly one of a local folder or zip, inline text, an object in S3, or a container image.

    Attributes:
        path: local folder, packaged and uploaded at deployment, or a local zip file; at most 50 MB zipped and
            250 MB unzipped.
        inline: the source itself, for Python and Node.js; at most 4096 bytes.
        bucket: bucket of an uploaded zip.
        object_key: its key.
        version: its object version, if the bucket has versions.
        image: URI of a container image in ECR.
    """

    path: Path | None = None
    inline: str | None = None
    bucket: str | None = None
    object_key: str | None = None
    version: str | None = None
    image: str | None = None

    SHORT: ClassVar[str] = "path"
    """The attribute that text alone stands for in settings."""

    def problem(self, handler: str, runtime: str) -> str:
        """Return what is wrong with the code for ``handler`` in ``runtime``, or nothing."""
        given = [name for name in ("path", "inline", "bucket", "image") if getattr(self, name) is not None]
        if len(given) != 1:
            return f"must be one of path, inline, bucket or image, got {' and '.join(given) or 'none'}"
        if (self.bucket is None) != (self.object_key is None):
            return "must have bucket and object_key together, got one of them"
        if self.inline is not None:
            return self._inline_problem(handler, runtime)
        return self._path_problem(self.path, handler, runtime) if self.path is not None else ""

    def _inline_problem(self, handler: str, runtime: str) -> str:
        size = len((self.inline or "").encode())
        if size > _INLINE_MAX:
            return f"inline must be at most {_INLINE_MAX} bytes, got {size}; use path"
        if not runtime.startswith(("python", "nodejs")):
            return f"inline must be Python or Node.js, got {runtime}; use path"
        if not handler.startswith("index."):
            return f"inline must have a handler in module 'index', got {handler!r}; write 'index.handler'"
        if runtime.startswith("python"):
            return _python_problem((self.inline or "").encode(), "inline", handler)
        return ""

    def _path_problem(self, path: Path, handler: str, runtime: str) -> str:
        if not path.exists():
            return f"path must exist, got {str(path)!r}; create it or correct the path"
        if path.is_file() and not zipfile.is_zipfile(path):
            return f"path must be a folder or a zip file, got {str(path)!r}"
        if outside := next((name for name, file in _files(path) if not _is_inside(file, path)), None):
            return f"path must hold files of its own, got {outside!r}, which leads outside; copy it or remove the link"
        try:
            size, names = _measure(path)
        except zipfile.BadZipFile:
            return f"path must be a folder or a zip file, got {str(path)!r}, which is damaged"
        if size > _UNZIPPED_MAX:
            return f"path must hold at most 250 MB unzipped, got {size / 2**20:.0f} MB; remove what runs do not need"
        if (zipped := _zipped_size(path, size)) > _ZIP_MAX:
            return f"path must be at most 50 MB zipped, got {zipped / 2**20:.0f} MB; use layers or an image"
        files = _entry_files(handler, runtime)
        found = next((name for name in files if name in names), None)
        if files and found is None:
            return f"must contain {files[0]!r} for handler {handler!r} in {str(path)!r}; add it or correct the handler"
        if not names:
            return f"path must hold at least one file, got {str(path)!r}; build the code first"
        if found is not None and found.endswith(".py") and path.is_dir():
            return _python_problem((path / found).read_bytes(), found, handler)
        return ""

    def place(self, stack: Stack) -> tuple[awslambda.Code, str]:
        """Return the code property for ``stack`` and a text that changes whenever the code does."""
        if self.path is not None:
            asset = pack(self.path)
            return awslambda.Code(S3Bucket=stack.asset(asset), S3Key=asset.key), asset.sha256
        if self.inline is not None:
            return awslambda.Code(ZipFile=self.inline), self.inline
        if self.image is not None:
            return awslambda.Code(ImageUri=self.image), self.image
        code = awslambda.Code(S3Bucket=self.bucket, S3Key=self.object_key)
        if self.version is not None:
            code.S3ObjectVersion = self.version
        return code, f"{self.bucket}/{self.object_key}/{self.version}"


def pack(path: Path) -> Asset:
    """Return the folder or zip at ``path`` as an asset, named after its content only."""
    digest = hashlib.sha256()
    if path.is_file():
        digest.update(path.read_bytes())
    else:
        for name, file in _files(path):
            content = file.read_bytes()
            executable = "x" if os.access(file, os.X_OK) else "-"
            digest.update(f"{name}\0{executable}\0{len(content)}\0".encode() + content)
    sha256 = digest.hexdigest()
    return Asset(str(path.resolve()), sha256, f"assets/{sha256}.zip")


def write_zip(path: Path) -> bytes:
    """Return the folder or zip at ``path`` as zip bytes that depend on its content only."""
    if path.is_file():
        return path.read_bytes()
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in _files(path):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o755 if os.access(file, os.X_OK) else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    return buffer.getvalue()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*"), key=lambda item: item.relative_to(folder).as_posix()):
        relative = file.relative_to(folder)
        if file.is_file() and not _LEFT_OUT.intersection(relative.parts) and file.suffix != ".pyc":
            yield relative.as_posix(), file


def _is_inside(file: Path, folder: Path) -> bool:
    return file.resolve().is_relative_to(folder.resolve())


def _measure(path: Path) -> tuple[int, set[str]]:
    if path.is_file():
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        return sum(entry.file_size for entry in entries), {entry.filename for entry in entries}
    files = dict(_files(path))
    return sum(file.stat().st_size for file in files.values()), set(files)


def _zipped_size(path: Path, unzipped: int) -> int:
    if path.is_file():
        return path.stat().st_size
    return unzipped if unzipped <= _ZIP_MAX else len(write_zip(path))


def _entry_files(handler: str, runtime: str) -> list[str]:
    """Return the files that may hold ``handler``, the usual one first; none where a build decides the layout."""
    if runtime.startswith("provided"):
        return ["bootstrap"]
    module = handler.rpartition(".")[0]
    if runtime.startswith("python"):
        module = module.replace(".", "/")
        return [f"{module}.py", f"{module}/__init__.py"]
    if runtime.startswith("nodejs"):
        return [module + extension for extension in (".js", ".mjs", ".cjs")]
    return []


def _python_problem(source: bytes, name: str, handler: str) -> str:
    function = handler.rpartition(".")[2]
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        return f"{name} must be valid Python, got {error.msg} in line {error.lineno}; correct it"
    except ValueError as error:
        return f"{name} must be valid Python, got {error}; correct it"
    if not any(_defines(node, function) for node in _top_level(tree.body)):
        return f"{name} must define {function!r} for handler {handler!r}; add it or correct the handler"
    return ""


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run at import, those inside ``if``, ``try`` and ``with`` too."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try, ast.With)):
            for field in ("body", "orelse", "finalbody"):
                yield from _top_level(getattr(node, field, []))
            for handler in getattr(node, "handlers", []):
                yield from _top_level(handler.body)


def _defines(node: ast.stmt, name: str) -> bool:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return node.name == name
        case ast.Assign():
            return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
        case ast.AnnAssign(target=ast.Name(id=found)):
            return found == name
        case ast.Import() | ast.ImportFrom():
            return any((alias.asname or alias.name) in {name, "*"} for alias in node.names)
    return False
