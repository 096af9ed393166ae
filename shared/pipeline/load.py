"""A specification from YAML. All faults at once, each with file, line, column and field."""

from __future__ import annotations

from pathlib import Path as FilePath

from ruamel.yaml.comments import CommentedMap

from shared.pipeline.check import checked
from shared.pipeline.problems import SpecificationError, at
from shared.pipeline.specification import Specification
from shared.pipeline.yaml_tree import document_of, error_in, position_in, read, tree_of

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
    return parse(read(path), str(path))


def parse(data: bytes, name: str) -> Specification:
    """The specification in `data`; `name` is what errors call it."""
    tree = tree_of(data, name)
    if tree is None:
        raise error_in(name, [(0, 0, at((), "empty", "is empty: give at least name, kind, schema and target"))])
    if not isinstance(tree, CommentedMap):
        raise error_in(name, [(0, 0, at((), "not-an-object", "does not begin with `name: …`: not a specification"))])
    specification, problems = checked(document_of(tree, name))
    if specification is None:
        raise error_in(name, [(*position_in(tree, problem.path), problem) for problem in problems])
    return specification
