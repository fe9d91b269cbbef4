"""`tools/contracts.py`, which `make lint` runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "tools" / "contracts.py"


def check(root: Path, contract: str, test: str) -> tuple[int, str]:
    (root / "docs" / "contracts").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / "docs" / "contracts" / "lode.md").write_text(contract)
    (root / "tests" / "test_lode.py").write_text(test)
    done = subprocess.run([sys.executable, TOOL, "--root", root], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_contracts_whose_clauses_are_all_cited_pass(tmp_path):
    """A decorator, a module's mark and one of several ids all count."""
    test = (
        "import pytest\npytestmark = pytest.mark.clause('LODE-01')\n"
        "@pytest.mark.clause('LODE-02', 'LODE-03')\ndef test_it(): pass\n"
    )
    contract = (
        "# Lode\n\n- **LODE-01** One.\n- **LODE-02** Two.\n  * **LODE-03** Three.\n\nText on **LODE-99**.\n"
    )
    code, said = check(tmp_path, contract, test)
    assert (code, said) == (0, "contracts: 3 clauses, 3 of them cited, 3 citations, 0 problems\n")


def test_a_clause_that_no_test_cites_is_listed(tmp_path):
    """The list names the clause and its line."""
    code, said = check(tmp_path, "- **LODE-01** One.\n", "")
    assert code == 1
    assert "lode.md:1: LODE-01 is cited by no test" in said


def test_a_clause_that_is_defined_twice_is_an_error(tmp_path):
    """An id means one thing."""
    code, said = check(
        tmp_path, "- **LODE-01** One.\n- **LODE-01** Other.\n", "m = pytest.mark.clause('LODE-01')\n"
    )
    assert code == 1
    assert "LODE-01 is defined 2 times: lode.md:1, lode.md:2" in said


def test_a_citation_of_what_is_not_defined_is_an_error(tmp_path):
    """A clause that was renumbered or misspelt is found where it is cited."""
    test = (
        "m = pytest.mark.clause('LODE-01')\nn = pytest.mark.clause('LODE-10')\no = pytest.mark.clause(name)\n"
    )
    code, said = check(tmp_path, "- **LODE-01** One.\n", test)
    assert code == 1
    assert "tests/test_lode.py:2: cites LODE-10, which no contract defines" in said
    assert "tests/test_lode.py:3: a clause id must be a literal string" in said
