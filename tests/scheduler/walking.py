"""Long walks of the machines: one seeded move after another, without Hypothesis."""

from __future__ import annotations

from functools import partial

from tests.scheduler.actors import FATES, MOVES


def bind(machine, server, scripts, folder, **more):
    """A machine on this server, with its datasets in this folder."""
    given = {"url": server.url, "scripts": scripts, "folder": str(folder), **more}
    return type(machine.__name__, (machine,), given)


def useful(machine):
    """Moves that do something now."""
    if machine.deliveries:
        return MOVES
    if machine.model.queue:
        return [*FATES, "error", "error", "wake"]
    return ["lapse", "wake", "reap", "reap", "reap", "land"]


def walk(machine, chance, moves):
    """A long walk, most of it useful work: deeper into a crawl than Hypothesis gets, without its shrinking."""
    machine.begin(
        depth=chance.choice([None, None, None, 1, 2]),
        max_runs=chance.choice([None, None, None, 2, 4, 9]),
        parallel=chance.randint(1, 4),
        max_attempts=chance.randint(1, 4),
        max_redeliveries=chance.randint(0, 3),
    )
    saves_at = chance.randrange(5, 60)
    rolls_at = saves_at + chance.randrange(3, 40)
    stops_at = chance.randrange(10, 2 * moves // 3) if chance.random() < 0.4 else moves
    lapses = chance.choice([0.005, 0.03])
    for move in range(moves):
        i, lost = chance.randrange(21), chance.random() < 0.2
        if move == saves_at and machine.rolls_back and machine.model.status != "closed":
            machine.save()
        elif move == rolls_at and machine.saved and machine.model.status != "closed":
            machine.roll_back()
        elif move == stops_at and machine.model.status != "closed":
            machine.stop(True)
        elif chance.random() < 0.05 and machine.deliveries:
            chance.choice([partial(machine.kill, lands=not lost), machine.beat, machine.stall])(i)
        elif chance.random() < lapses:
            machine.crawl.clock.advance(chance.choice([1, 9_000, 30_000, 900_000]))
            machine.expire(dies=lost)
        elif chance.random() < 0.05 and machine.model.seedable():
            machine.seed(chance.randrange(3), lost)
        elif chance.random() < 0.02:
            machine.begin_close()
        elif machine.lease and chance.random() < 0.2:
            machine.close()
        else:
            machine.go([(chance.choice(useful(machine)), i, lost)])
        machine.the_real_ledger_is_as_the_model()
        if machine.model.status == "closed" and not machine.anybody_is_left():
            return
