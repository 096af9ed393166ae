"""YAML with the line and column of every part, so that each fault can be told by where it stands."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from shared.pipeline.problems import Path, Problem, SpecificationError, at

MAX_BYTES = 1_000_000
MAX_NODES = 50_000


def read(path: FilePath | str) -> bytes:
    """A file's bytes, or `SpecificationError` that says why there are none."""
    try:
        return FilePath(path).read_bytes()
    except OSError as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error))
        raise SpecificationError(f"{path}: {why}", [at((), "unreadable", why)]) from error


def document_of(tree: Any, name: str) -> Any:
    """The tree as plain values, or `SpecificationError` where it is too large."""
    try:
        return _plain(tree, [MAX_NODES])
    except ValueError as error:
        raise error_in(name, [(0, 0, at((), "too-large", str(error)))]) from error


def tree_of(data: bytes, name: str) -> Any:
    """The YAML in `data` with its positions, or `SpecificationError` with the line at which it ends to be YAML."""
    if len(data) > MAX_BYTES:
        problem = at((), "too-large", f"{len(data)} bytes: such a file has at most {MAX_BYTES}. Is it a data file?")
        raise error_in(name, [(0, 0, problem)])
    try:
        return YAML(typ="rt").load(data.decode())
    except UnicodeDecodeError as error:
        raise error_in(name, [(0, 0, at((), "not-yaml", "not a text file in UTF-8"))]) from error
    except MarkedYAMLError as error:
        raise error_in(name, [_marked(error)]) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise error_in(name, [(0, 0, at((), "not-yaml", f"not YAML: {str(error).splitlines()[0]}"))]) from error


def _marked(error: MarkedYAMLError) -> tuple[int, int, Problem]:
    mark = error.problem_mark or error.context_mark
    what = str(error.problem or error.context or "cannot be read").splitlines()[0]
    repeated = "duplicate key" in what
    detail = f"the name stands twice: {what}" if repeated else f"not YAML: {what}"
    position = (mark.line, mark.column) if mark is not None else (0, 0)
    return (*position, at((), "duplicate-key" if repeated else "not-yaml", detail))


def _plain(node: Any, left: list[int]) -> Any:
    """The tree as plain Python values. Bounded, since a few aliases can stand for millions of nodes."""
    left[0] -= 1
    if left[0] < 0:
        raise ValueError(f"has more than {MAX_NODES} values (aliases counted as often as they are used)")
    if isinstance(node, dict):
        return {str(key): _plain(value, left) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value, left) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node if node is None else str(node)


def position_in(tree: Any, path: Path) -> tuple[int, int]:
    """Line and column (from 0) of the deepest part of `path` that is in the file: its name, or the list's item."""
    position, node = (0, 0), tree
    for part in path:
        if isinstance(node, CommentedMap) and part in node:
            position = node.lc.key(part)
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
            position = node.lc.item(part)
        else:
            break
        node = node[part]
    return position


def error_in(name: str, found: list[tuple[int, int, Problem]]) -> SpecificationError:
    """One error of all these faults, in the order of their lines and columns (from 0)."""
    ordered = sorted(found, key=lambda each: each[:2])
    lines = [f"{name}:{line + 1}:{column + 1}: {problem}" for line, column, problem in ordered]
    return SpecificationError("\n".join(lines), [problem for _, _, problem in ordered])
