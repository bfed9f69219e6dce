"""Files that a build leaves: found by patterns as CodeBuild has them, and copied."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from archlib.errors import OutputError
from archlib.pipeline.buildspec import Artifact, Files

_TOKENS = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")
_WILD = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True, slots=True)
class Collected:
    """Files of an artifact or a report.

    Attributes:
        identifier: of a secondary artifact or a report group; empty: the main artifact.
        name: of the artifact, as the shell says it; format of the report.
        files: their paths in the artifact.
        folder: where they are now; None: they were only listed.
        missing: patterns that no file matches.
    """

    identifier: str
    name: str
    files: tuple[str, ...]
    folder: Path | None
    missing: tuple[str, ...]


def collect(
    wanted: Files, *, identifier: str, name: str, source: Path, target: Path | None, expand: Callable[[str], str]
) -> Collected:
    """Find the files that ``wanted`` names, and copy them.

    Args:
        wanted: an artifact or a report.
        identifier: see :class:`Collected`.
        name: see :class:`Collected`.
        source: what paths are relative to.
        target: where the files go; None: nowhere.
        expand: replaces variables in paths.

    Raises:
        OutputError: they cannot be copied.
    """
    exclude: Sequence[str] = ()
    links = False
    if isinstance(wanted, Artifact):
        exclude, links = wanted.exclude_paths, wanted.enable_symlinks
    patterns = {pattern: _compiled(_relative(expand(pattern), source)) for pattern in wanted.files}
    left_out = [_compiled(_relative(expand(pattern), source)) for pattern in exclude]
    found: dict[str, Path] = {}
    seen: set[str] = set()
    for base in _bases(expand(wanted.base_directory or ""), source):
        for path, file in _walk(base, links=links):
            matching = {pattern for pattern, compiled in patterns.items() if compiled.fullmatch(path)}
            seen |= matching
            if matching and not any(compiled.fullmatch(path) for compiled in left_out):
                found[file.name if wanted.discard_paths else path] = file
    if target is not None:
        _copy(found, target, links=links)
    missing = tuple(pattern for pattern in wanted.files if pattern not in seen)
    return Collected(identifier, name, tuple(sorted(found)), target, missing)


def _copy(files: Mapping[str, Path], target: Path, *, links: bool) -> None:
    try:
        for path, file in files.items():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target / path, follow_symlinks=not links)
    except OSError as error:
        message = f"folder {str(target)!r}: {error.filename!r} cannot be copied there: {error.strerror}"
        raise OutputError(message) from None


def _relative(pattern: str, source: Path) -> str:
    return pattern.removeprefix(f"{source}/").removeprefix("./")


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(_WILD.get(token) or re.escape(token) for token in _TOKENS.findall(pattern)), re.DOTALL)


def _bases(pattern: str, source: Path) -> list[Path]:
    pattern = _relative(pattern, source).rstrip("/")
    if not set(pattern) & set("*?"):
        return [source / pattern]
    compiled = _compiled(pattern)
    return sorted(path for path in source.iterdir() if path.is_dir() and compiled.fullmatch(path.name))


def _walk(folder: Path, *, links: bool) -> Iterator[tuple[str, Path]]:
    """Yield the files below ``folder``, each with its path in it; links to folders only where they stay ``links``."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        linked = [name for name in folders if links and (Path(root) / name).is_symlink()]
        for name in sorted([*names, *linked]):
            file = Path(root) / name
            if file.is_file() or (links and file.is_symlink()):
                yield file.relative_to(folder).as_posix(), file
