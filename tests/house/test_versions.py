"""One constant for the version, one for the contract's."""

from __future__ import annotations

import ast
import importlib.metadata
from pathlib import Path

import quarry

ROOT = Path(__file__).resolve().parents[2]


def test_each_version_is_assigned_in_one_place_only():
    """`quarry/version.py` alone gives `__version__` and `CONTRACT_VERSION` a value."""
    places: dict[str, list[str]] = {"__version__": [], "CONTRACT_VERSION": []}
    for file in sorted((ROOT / "quarry").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                if isinstance(target, ast.Name) and target.id in places:
                    places[target.id].append(str(file.relative_to(ROOT)))
    assert places == {"__version__": ["quarry/version.py"], "CONTRACT_VERSION": ["quarry/version.py"]}


def test_the_distribution_has_the_version_of_the_code():
    """What pip shows is the constant; the distribution is called quarry-crawler."""
    assert importlib.metadata.version("quarry-crawler") == quarry.__version__


def test_the_changelog_names_the_version():
    """A version that is being built or released has a section."""
    assert f"## {quarry.__version__}" in (ROOT / "CHANGELOG.md").read_text()
