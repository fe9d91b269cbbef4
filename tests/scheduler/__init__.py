"""Tests of the ledger."""

import pytest

# The walks assert in modules that are no tests: there too a failure shows both sides.
pytest.register_assert_rewrite(
    *(f"tests.scheduler.{name}" for name in ("acting", "ending", "machine", "phases", "shelf", "writing"))
)
