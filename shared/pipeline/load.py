"""A specification, or policies alone, from YAML. All faults at once, each with file, line, column and field."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from shared.pipeline.check import checked, checked_policies
from shared.pipeline.problems import Path, Problem, SpecificationError, at
from shared.pipeline.specification import Policy, Specification

MAX_BYTES = 1_000_000
MAX_NODES = 50_000
_DATA = (".csv", ".tsv", ".parquet", ".ndjson", ".jsonl")


def load(path: FilePath | str) -> Specification:
    """The specification in the file, or `SpecificationError` with all that is wrong with it."""
    file = FilePath(path)
    if file.suffix.lower() in _DATA and file.is_file():
        detail = (
            f"holds rows by its name, and a specification (YAML) is expected. One is made from it by: "
            f"homeostat pipeline init {path} --target COLUMN --out {file.stem}.yaml"
        )
        raise SpecificationError(f"{path} {detail}", [at((), "not-a-specification", detail)])
    return parse(_read(path), str(path))


def load_policies(path: FilePath | str) -> tuple[Policy, ...]:
    """The policies in a file of their own, or `SpecificationError` with all that is wrong with it."""
    return parse_policies(_read(path), str(path))


def parse(data: bytes, name: str) -> Specification:
    """The specification in `data`; `name` is what errors call it."""
    tree = _tree(data, name)
    if tree is None:
        raise _error(name, [(0, 0, at((), "empty", "is empty: give at least name, kind, schema and target"))])
    if not isinstance(tree, CommentedMap):
        raise _error(name, [(0, 0, at((), "not-an-object", "does not begin with `name: …`: not a specification"))])
    specification, problems = checked(_document(tree, name))
    if specification is None:
        raise _error(name, [(*_position(tree, problem.path), problem) for problem in problems])
    return specification


def parse_policies(data: bytes, name: str) -> tuple[Policy, ...]:
    """The policies in `data`, a list; `name` is what errors call it."""
    tree = _tree(data, name)
    policies, problems = checked_policies(_document(tree, name))
    if policies is None:
        raise _error(name, [(*_position(tree, problem.path[1:]), problem) for problem in problems])
    return policies


def _read(path: FilePath | str) -> bytes:
    try:
        return FilePath(path).read_bytes()
    except OSError as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error))
        raise SpecificationError(f"{path}: {why}", [at((), "unreadable", why)]) from error


def _document(tree: Any, name: str) -> Any:
    try:
        return _plain(tree, [MAX_NODES])
    except ValueError as error:
        raise _error(name, [(0, 0, at((), "too-large", str(error)))]) from error


def _tree(data: bytes, name: str) -> Any:
    if len(data) > MAX_BYTES:
        problem = at((), "too-large", f"{len(data)} bytes: such a file has at most {MAX_BYTES}. Is it a data file?")
        raise _error(name, [(0, 0, problem)])
    try:
        return YAML(typ="rt").load(data.decode())
    except UnicodeDecodeError as error:
        raise _error(name, [(0, 0, at((), "not-yaml", "not a text file in UTF-8"))]) from error
    except MarkedYAMLError as error:
        raise _error(name, [_marked(error)]) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise _error(name, [(0, 0, at((), "not-yaml", f"not YAML: {str(error).splitlines()[0]}"))]) from error


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


def _position(tree: Any, path: Path) -> tuple[int, int]:
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


def _error(name: str, found: list[tuple[int, int, Problem]]) -> SpecificationError:
    ordered = sorted(found, key=lambda each: each[:2])
    lines = [f"{name}:{line + 1}:{column + 1}: {problem}" for line, column, problem in ordered]
    return SpecificationError("\n".join(lines), [problem for _, _, problem in ordered])
