"""A command is carried out and its reply lost, for each command of a process in turn; the process itself goes on."""

from __future__ import annotations

import pytest

from tests.protocol.outcome import PREFIX
from tests.protocol.scenarios import FAN, SCENARIOS
from tests.protocol.trying import LONG, Trial

pytestmark = pytest.mark.slow


def closed(trial):
    return trial.stage.client.hget(PREFIX + "meta", "status") == b"closed"


@pytest.mark.clause("LEDGER-46")
@pytest.mark.clause("LEDGER-10")
@pytest.mark.clause("LEDGER-14")
@pytest.mark.clause("LEDGER-15")
@pytest.mark.clause("LEDGER-20")
@pytest.mark.clause("LEDGER-22")
@pytest.mark.clause("LEDGER-29")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_reply_of_any_command_is_lost(aof_server, zygote, folder, scenario):
    """The caller repeats it: same records, same rows, same counts; no other process has to help."""
    trial = Trial(aof_server, zygote, folder, scenario)
    alone = scenario.body in {"work", "finish"}
    lost = 0
    for number, name in enumerate(trial.points, 1):
        if name == "ledger.begin_close" and not LONG and scenario is not FAN:
            break
        if name.partition(".")[0] not in {"ledger", "redis"}:
            continue
        ended = trial.play(lose=number)
        assert ended.points[:number] == trial.points[:number]
        assert ended.points[number - 1] in ended.points[number:], f"{name} was not repeated"
        assert not ended.gave_up
        lost += 1
        # Whom `expire` told of a record that is owed, and who did not hear it, is asked again after a lease.
        finish = not alone or (name == "ledger.expire" and not closed(trial))
        trial.check("a reply was lost", ended, number, finish=finish)
    print(f"{scenario.name}: lost {lost} replies")
    assert lost >= 2
