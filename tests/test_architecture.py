"""The rules of the architecture hold, and each of the checks can fail."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from shared.topics import SERVICES
from tests.support.rules import PACKAGES, ROOT, circle_in, declared_by, imports_of, oversized, sources, undeclared

PLANTED = [
    ("services", "services/ingest/core/planted.py", "import services.trainer"),
    ("layers", "shared/runtime/planted.py", "import services.monitor"),
    ("layers", "services/monitor/planted.py", "import homeostat.local"),
    ("shared", "shared/bus/planted.py", "import shared.runtime.task"),
    ("shared", "shared/planted.py", ""),
    ("shape", "services/monitor/core/planted.py", "import services.monitor.service"),
    ("cores", "services/remediator/core/planted.py", "import time"),
    ("cores", "services/remediator/core/planted.py", "from shared.bus import base"),
    ("kafka", "services/ingest/planted.py", "from confluent_kafka import Consumer"),
    ("kafka", "homeostat/planted.py", "import kafka"),
    ("mlflow", "services/trainer/planted.py", "from mlflow.tracking import MlflowClient"),
    ("learning", "services/predictor/planted.py", "import sklearn.linear_model"),
    ("learning", "shared/models/planted.py", "import onnxruntime"),
    ("clients", "services/predictor/planted.py", "import redis"),
    ("clients", "shared/runtime/planted.py", "from opentelemetry import trace"),
]


def test_the_map_in_the_readme_names_every_folder() -> None:
    _, _, table = (ROOT / "README.md").read_text().partition("| folder | holds |")
    rows = [line.split("|")[1] for line in table.partition("\n\n")[0].splitlines() if line.startswith("|")]

    named = {name for row in rows for name in re.findall(r"`(\w+)/`", row)}

    assert all((ROOT / name).is_dir() for name in named)
    assert named >= {path.relative_to(ROOT).parts[0] for path in ROOT.glob("[a-z]*/**/*.py")}


def _lint_imports(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's modules, to plant violations in."""
    folder = tmp_path_factory.mktemp("project")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "static"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_imports_point_one_way() -> None:
    result = _lint_imports(ROOT)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("contract", "file", "line"), PLANTED)
def test_an_import_against_the_rules_is_found(copy: Path, contract: str, file: str, line: str) -> None:
    planted = copy / file
    planted.write_text(f'"""Planted."""\n\n{line}\n')

    result = _lint_imports(copy, "--contract", contract)

    planted.unlink()
    assert result.returncode == 1, result.stdout
    assert "planted" in result.stdout


def test_no_module_and_no_function_is_too_long() -> None:
    assert [finding for path in sources() for finding in oversized(path)] == []


def test_what_is_too_long_is_found(tmp_path: Path) -> None:
    module = tmp_path / "long.py"
    module.write_text("def long() -> None:\n" + "    print()\n" * 50 + "\n" * 350)

    assert oversized(module) == [f"{module}: 401 lines", f"{module}:1 long: 51 lines"]


def test_no_modules_of_services_and_shared_import_each_other_in_a_circle_not_even_for_types() -> None:
    graph = grimp.build_graph("services", "shared", exclude_type_checking_imports=False)

    assert circle_in({module: graph.find_modules_directly_imported_by(module) for module in graph.modules}) == []


def test_a_circle_is_found() -> None:
    assert set(circle_in({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})) == {"a", "b", "c"}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("services", "shared", include_external_packages=True, exclude_type_checking_imports=True)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_declares_all_it_imports(service: str, graph: grimp.ImportGraph) -> None:
    imported = graph.find_upstream_modules(f"services.{service}", as_package=True)

    assert undeclared(imported, declared_by(service) | declared_by("tracing")) == set()


def test_the_command_line_declares_all_it_imports() -> None:
    imported = {name for path in sources() if path.is_relative_to(ROOT / "homeostat") for name in imports_of(path)}

    assert undeclared(imported, declared_by("local")) == set()


def test_an_undeclared_import_is_found() -> None:
    assert undeclared({"msgspec", "ruamel.yaml", "os.path", "sklearn.linear_model"}, declared_by("gateway")) == {
        "sklearn"
    }
