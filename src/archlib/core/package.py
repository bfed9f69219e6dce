"""Local folders as zip files that depend on their content only."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from archlib.core.artifact import Asset

_LEFT_OUT = frozenset(
    {".env", "__pycache__", ".git", ".venv", ".DS_Store", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
)


def package_problem(path: Path) -> str:
    """Return what is wrong with the folder or zip at ``path``, or nothing."""
    if not path.exists():
        return f"must exist, got {str(path)!r}; create it or correct the path"
    if path.is_file() and not zipfile.is_zipfile(path):
        return f"must be a folder or a zip file, got {str(path)!r}"
    if outside := next((name for name, file in _files(path) if not _is_inside(file, path)), None):
        return f"must hold files of its own, got {outside!r}, which leads outside; copy it or remove the link"
    if unnamed := next((name for name, _ in _files(path) if not _is_utf8(name)), None):
        return f"must hold files with names in UTF-8, got {unnamed!r}; rename it"
    try:
        names = measure(path)[1]
    except zipfile.BadZipFile:
        return f"must be a folder or a zip file, got {str(path)!r}, which is damaged"
    return "" if names else f"must hold at least one file, got {str(path)!r}; build the code first"


def measure(path: Path) -> tuple[int, set[str]]:
    """Return the size of the folder or zip at ``path`` when unzipped, and the names in it."""
    if path.is_file():
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        return sum(entry.file_size for entry in entries), {entry.filename for entry in entries}
    files = dict(_files(path))
    return sum(file.stat().st_size for file in files.values()), set(files)


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
    """Yield the files below ``folder`` with their paths inside it, sorted, without what builds and editors leave."""
    for file in sorted(folder.rglob("*"), key=lambda item: item.relative_to(folder).as_posix()):
        relative = file.relative_to(folder)
        if file.is_file() and not _LEFT_OUT.intersection(relative.parts) and file.suffix != ".pyc":
            yield relative.as_posix(), file


def _is_inside(file: Path, folder: Path) -> bool:
    return file.resolve().is_relative_to(folder.resolve())


def _is_utf8(name: str) -> bool:
    # Python keeps bytes of a name that are no UTF-8 as surrogates.
    return not any("\ud800" <= char <= "\udfff" for char in name)
