"""Hold the contracts and the tests together.

    python tools/contracts.py [--root DIR]

Every clause of ``docs/contracts/*.md`` is a list item that starts with its id in bold, ``- **LODE-03** …``.
Tests cite it by ``@pytest.mark.clause("LODE-03")``. The check fails, and says where, when an id is defined
twice, when a test cites an id that is not defined or is no literal, and when no test cites a clause.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLAUSE = re.compile(r"^\s*[-*] \*\*([A-Z]+-\d{2,})\*\*")


def defined_clauses(contracts: Path) -> dict[str, list[str]]:
    """Find the clauses of all contract pages.

    Returns:
        Places (``file:line``) by clause id; more than one place is a mistake.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for page in sorted(contracts.glob("*.md")):
        for number, line in enumerate(page.read_text().splitlines(), start=1):
            if match := _CLAUSE.match(line):
                found[match[1]].append(f"{page.name}:{number}")
    return dict(found)


def cited_clauses(tests: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Find the citations of all tests.

    Returns:
        Places (``file:line``) by clause id, and the citations that can't be read.
    """
    found: dict[str, list[str]] = defaultdict(list)
    unreadable: list[str] = []
    for file in sorted(tests.rglob("*.py")):
        for node in _citations(ast.parse(file.read_text(), filename=str(file))):
            place = f"{file.relative_to(tests.parent)}:{node.lineno}"
            if not node.args:
                unreadable.append(f"{place}: a citation without a clause id")
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    found[argument.value].append(place)
                else:
                    unreadable.append(f"{place}: a clause id must be a literal string")
    return dict(found), unreadable


def _citations(tree: ast.AST) -> Iterator[ast.Call]:
    """Find the calls of ``<anything>.mark.clause``."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        mark = node.func.value
        if node.func.attr == "clause" and isinstance(mark, ast.Attribute) and mark.attr == "mark":
            yield node


def problems_of(root: Path) -> tuple[list[str], str]:
    """Compare both sides.

    Returns:
        One line for each mistake, and a line of figures.
    """
    defined = defined_clauses(root / "docs" / "contracts")
    cited, problems = cited_clauses(root / "tests")
    if not defined:
        problems.append("docs/contracts defines no clause")
    problems += [
        f"{clause} is defined {len(places)} times: {', '.join(places)}"
        for clause, places in sorted(defined.items())
        if len(places) > 1
    ]
    problems += [
        f"{places[0]}: cites {clause}, which no contract defines"
        for clause, places in sorted(cited.items())
        if clause not in defined
    ]
    problems += [
        f"{places[0]}: {clause} is cited by no test"
        for clause, places in sorted(defined.items())
        if clause not in cited
    ]
    known = defined.keys() & cited.keys()
    citations = sum(map(len, cited.values()))
    return problems, f"{len(defined)} clauses, {len(known)} of them cited, {citations} citations"


def main() -> int:
    """Print every mistake; exit code 1 if there is one."""
    parser = argparse.ArgumentParser(description="Check that tests cite every contract clause.")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    problems, figures = problems_of(parser.parse_args().root)
    for problem in problems:
        print(problem)
    print(f"contracts: {figures}, {len(problems)} problems")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
