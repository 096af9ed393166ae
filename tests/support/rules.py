"""Rules about the code that no linter holds: sizes, and who declares what it imports."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("homeostat", "services", "shared", "tools")
LONGEST_FILE, LONGEST_FUNCTION = 400, 50


def sources(root: Path = ROOT) -> Iterator[Path]:
    """The project's own modules."""
    for package in PACKAGES:
        yield from sorted((root / package).rglob("*.py"))


def oversized(path: Path) -> list[str]:
    """What of this module is too long: the file, and functions (their docstrings do not count)."""
    text = path.read_text()
    found = [f"{path}: {lines} lines"] if (lines := text.count("\n")) > LONGEST_FILE else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (length := _length(node)) > LONGEST_FUNCTION:
            found.append(f"{path}:{node.lineno} {node.name}: {length} lines")
    return found


def circle_in(imports: Mapping[str, Iterable[str]]) -> list[str]:
    """A circle of modules that import each other, first and last the same; empty where there is none."""
    try:
        tuple(TopologicalSorter(imports).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def undeclared(imported: Iterable[str], declared: Iterable[str]) -> set[str]:
    """Imported top-level names that come from no declared distribution. Python's own are free."""
    names = {canonical(name) for name in declared}
    homes = packages_distributions()
    own = {*sys.stdlib_module_names, *PACKAGES}
    return {
        top
        for top in {name.split(".")[0] for name in imported} - own
        if not names & {canonical(home) for home in homes.get(top, [top])}
    }


def declared_by(extra: str | None, root: Path = ROOT) -> set[str]:
    """Distributions that every service has, and those of `extra`."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + (project["optional-dependencies"][extra] if extra else [])
    return {re.split(r"[^A-Za-z0-9._-]", requirement)[0] for requirement in wanted}


def canonical(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imports_of(path: Path) -> set[str]:
    """Absolute names that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines
