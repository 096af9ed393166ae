"""Policies from a YAML file of their own. All faults at once, each with file, line, column and field."""

from __future__ import annotations

from pathlib import Path as FilePath

from shared.pipeline.check_policies import checked_policies
from shared.pipeline.specification import Policy
from shared.pipeline.yaml_tree import document_of, error_in, position_in, read, tree_of


def load_policies(path: FilePath | str) -> tuple[Policy, ...]:
    """The policies in the file, a list, or `SpecificationError` with all that is wrong with it."""
    name = str(path)
    tree = tree_of(read(path), name)
    policies, problems = checked_policies(document_of(tree, name))
    if policies is None:
        raise error_in(name, [(*position_in(tree, problem.path[1:]), problem) for problem in problems])
    return policies
