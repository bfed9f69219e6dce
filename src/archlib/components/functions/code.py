"""Where a function's code comes from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from troposphere import awslambda

from archlib.core.package import measure, pack, package_problem, write_zip
from archlib.core.stack import Stack
from archlib.core.values import Value, encode

_ZIP_MAX, _UNZIPPED_MAX, _INLINE_MAX = 50 * 2**20, 250 * 2**20, 4096


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
    image: Value | None = None

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
        if problem := package_problem(path):
            return f"path {problem}"
        size, names = measure(path)
        if size > _UNZIPPED_MAX:
            return f"path must hold at most 250 MB unzipped, got {size / 2**20:.0f} MB; remove what runs do not need"
        if (zipped := _zipped_size(path, size)) > _ZIP_MAX:
            return f"path must be at most 50 MB zipped, got {zipped / 2**20:.0f} MB; use layers or an image"
        files = _entry_files(handler, runtime)
        found = next((name for name in files if name in names), None)
        if files and found is None:
            return f"must contain {files[0]!r} for handler {handler!r} in {str(path)!r}; add it or correct the handler"
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
            return awslambda.Code(ImageUri=self.image), str(encode(self.image))
        code = awslambda.Code(S3Bucket=self.bucket, S3Key=self.object_key)
        if self.version is not None:
            code.S3ObjectVersion = self.version
        return code, f"{self.bucket}/{self.object_key}/{self.version}"


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
