"""Costs as data: what comes with Quarry, and what a file replaces."""

from __future__ import annotations

import json

import msgspec
import pytest

from quarry.errors import ConfigError
from quarry.simulate import default_costs, read_costs
from quarry.simulate.costs import decode_costs
from tests.simulate.sample_costs import COSTS

pytestmark = pytest.mark.clause("SIMULATE-03")


def test_the_costs_that_come_with_quarry_say_where_they_are_from():
    """Date and kind of machine."""
    costs = default_costs()
    assert {"date", "cores", "architecture", "redis"} <= costs.measured.keys()
    assert costs.run.storage_files == 3
    assert 3 < costs.run.redis_round_trips < 5


def test_costs_come_back_as_they_were_written():
    """Every field."""
    assert decode_costs(msgspec.json.encode(COSTS), place="x") == COSTS


@pytest.mark.parametrize("wrap", [False, True])
def test_a_file_replaces_what_it_names(tmp_path, wrap):
    """At its top or under ``costs``; the rest stays."""
    path = tmp_path / "costs.json"
    given = {"run": {"redis_cpu_us": 999.0}, "close_us": 7, "measured": {"date": "today"}}
    path.write_text(json.dumps({"kind": "x", "costs": given} if wrap else given))
    costs, former = read_costs(str(path)), default_costs()
    assert costs.run.redis_cpu_us == 999
    assert costs.close_us == 7
    assert costs.measured == {"date": "today"}
    assert costs.run.worker_cpu_us == former.run.worker_cpu_us
    assert costs.memory == former.memory


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "no costs"),
        ("[]", "no costs"),
        ('{"run": 7}', "no costs"),
        ('{"walk": 7}', "walk"),
        ('{"run": {"speed": 1}}', "speed"),
        ('{"run": {"worker_cpu_us": -1}}', "below 0"),
        ('{"run": {"redis_cpu_us": 0}}', "above 0"),
        ('{"close_us": -1}', "below 0"),
        ('{"memory": {"seen_key_bytes": []}}', "rising"),
        ('{"memory": {"seen_key_bytes": [[10, 5], [9, 5]]}}', "rising"),
        ('{"memory": {"seen_key_bytes": [[10, 0]]}}', "above 0"),
        ("\xff", "no costs"),
    ],
)
def test_what_are_no_costs_is_refused(tmp_path, text, told):
    """With the file's name."""
    path = tmp_path / "costs.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=told) as error:
        read_costs(str(path))
    assert str(path) in str(error.value)


def test_a_missing_file_is_named():
    """And nothing else."""
    with pytest.raises(ConfigError, match="--costs /nowhere/x: can't be read"):
        read_costs("/nowhere/x")
