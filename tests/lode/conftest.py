"""Datasets to test with."""

from __future__ import annotations

import pytest

from quarry.lode import Dataset


@pytest.fixture
def dataset(tmp_path):
    """An empty dataset, open for writing."""
    return Dataset.create(tmp_path)
