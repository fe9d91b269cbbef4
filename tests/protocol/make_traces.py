"""Makes `traces.jsonl.gz` from the protocol's model: steps, and what the ledger and the store hold after each.

    python -m tests.protocol.make_traces MODEL_FOLDER [SEED] > tests/protocol/traces.jsonl.gz

The model is an explicit-state checker (`model.py` with `Cfg` and `Proto`, `run.py` with the switches `ALL`); nothing
of it is needed to replay the traces. Where the ledger differs from it on purpose, `followed.py` makes it follow.

A trace breaks off before a step that the two count differently: a retry that is refused and whose events Redis had
forgotten. Policies drop nothing here: the model keeps such events beside the record, Quarry counts them (LEDGER-23).
"""

from __future__ import annotations

import gzip
import json
import random
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.protocol.followed import LS, P, followed, memory

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTCOMES = {1: "ok", 2: "error", 3: "lost"}

WHO = r"\w+#\d+ run (\d+): "
OPS = [
    ("claim", r"claim \w+#\d+ run (\d+)"),
    ("admit", WHO + r"admit .*\]"),
    ("file", WHO + r"put data file 0"),
    ("script_error", WHO + r"script_error"),
    ("put", WHO + r"put record (?:ok|412, exists)"),
    ("put_unheard", WHO + r"put record done but reported failed; .*"),
    ("put_attempt", WHO + r"put failed-attempt record"),
    ("retry", WHO + r"retry\?"),
    ("settle", WHO + r"settle by the record that stands"),
    ("kill", r"kill -9 worker of \w+#\d+ run (\d+) at .*"),
    ("kill_in_put", r"kill -9 worker of \w+#\d+ with its record put in flight"),
    ("land", r"in-flight put lands: record .*"),
    ("lapse", r"reaper: lease (\w+)#\d+ run \d+ ended -> pending"),
    ("owe", r"reaper: (\w+)#\d+ must end .*"),
    ("put_lost", r"reaper: puts `lost` record for (\w+)#.*"),
    ("settle_lost", r"reaper: settles (\w+)#\d+ by the record that stands"),
    ("reaper_dies", r"reaper dies"),
    ("tick", r"tick: hands out leases"),
    ("tick_closes", r"tick: closes"),
    ("audit", r"closing audit: record of (\w+),.*"),
    ("see_closed", r"announcer: sees closed.*"),
    ("summary", r"announcer: puts summary"),
    ("announce", r"announcer: marks announced"),
    ("stop", r"Ctrl-C: stop"),
    ("save", r"\(fsync: .*"),
    ("fall_back", r"REDIS ROLLBACK .*"),
]
UNHEARD = " — reply lost, worker will retry"


class Teller:
    """Tells of a model's steps and states without the model.

    Args:
        proto: The model.
    """

    def __init__(self, proto: Any) -> None:
        self._proto = proto
        self._names = {name: j for j, name in enumerate(proto.c.jobs)}

    def scenario(self) -> dict[str, Any]:
        """What the crawl is: jobs are numbers; a program is, by job, its variants of batches of jobs."""
        c = self._proto.c
        fields = ("prog", "depth", "parallel", "max_runs", "max_attempts", "max_redeliveries")
        return {name: getattr(c, name) for name in fields}

    def op(self, label: str, before: tuple, after: tuple) -> list[Any] | None:
        """A step: what is done, and with what; None where it is not told (see above)."""
        text = re.sub(r" \(script variant \d\)", "", label.removesuffix(UNHEARD))
        name, match = next(
            ((name, m) for name, pattern in OPS if (m := re.fullmatch(pattern, text))), ("", None)
        )
        if match is None:
            raise ValueError(f"the model has a step that is not known here: {label}")
        found = match[1] if match.groups() else None
        if name in {"land", "kill_in_put"}:
            (ghost,) = before[6] ^ after[6]
            return [name, ghost[1][2]]
        if found is None:
            return [name]
        if found in self._names:
            return [name, self._names[found]]
        run = int(found)
        if name == "claim":
            (worker,) = (w for w in after[2] if w and w[2] == run)
            return [name, run, worker[0], worker[5]]
        (worker,) = (w for w in before[2] if w and w[2] == run)
        if name == "admit":
            batch = self._proto.ops[worker[0], worker[5]][worker[4]][1]
            return [name, run, batch, self._answer(before[0][0][worker[0]], run, batch)]
        job = before[0][0][worker[0]]
        batches = len(self._proto.c.prog[worker[0]][worker[5]])
        if name == "retry":
            granted = job and job[5] + 1 < self._proto.c.max_attempts and not before[0][4][0]
            if job and job[3] == run and job[7] < batches and not granted:
                return None
        return [name, run]

    def state(self, t: tuple) -> list[Any]:
        """What is held: jobs, counters, flags (stopped, closed, announced, summary), records, attempts' records."""
        (jobs, counters, _, _, flags, _), _, _, _, records, summary = t[:6]
        shown: list[Any] = []
        for j, x in enumerate(jobs):
            if not x:
                shown.append(0)
            elif x[0] not in {P, LS}:
                shown.append(x[0])
            else:
                run = x[3] if x[4] else 0
                shown.append([x[0], x[1], x[5], x[6], run, self._position(j, run, x[7])])
        finals = sorted([k, r[2], OUTCOMES[r[4]]] for k, r in records if not isinstance(k, tuple))
        attempts = sorted(k[1] for k, _ in records if isinstance(k, tuple))
        return [shown, list(counters), [*flags[:3], min(summary, 1)], finals, attempts]

    def _answer(self, job: tuple, run: int, batch: int) -> str:
        """What `admit` answers."""
        held = job and job[0] == LS and job[4] and job[3] == run and not memory(job)[3]
        if not held:
            return "lost"
        return "gap" if job[7] < batch else "ok"

    def _position(self, j: int, run: int, batches: int) -> int:
        # Variants of a job have batches of the same sizes: the position says the same of each.
        return sum(map(len, self._proto.c.prog[j][0][:batches])) if run else 0


def paths(proto: Any, depth: int) -> Iterator[list[tuple[str, tuple]]]:
    """Every path of the model up to a depth."""

    def go(t: tuple, path: list[tuple[str, tuple]]) -> Iterator[list[tuple[str, tuple]]]:
        found = proto.succ(t) if len(path) < depth else []
        if not found:
            yield path
        for label, _, after in found:
            yield from go(after, [*path, (label, after)])

    yield from go(proto.init(), [])


def walk(proto: Any, chance: random.Random, steps: int) -> list[tuple[str, tuple]]:
    """One random path."""
    t = proto.init()
    path: list[tuple[str, tuple]] = []
    faulty = chance.choice((0.1, 0.25, 0.5))
    while len(path) < steps and (found := proto.succ(t)):
        faults, rest = [x for x in found if x[1]], [x for x in found if not x[1]]
        label, _, t = chance.choice(faults if faults and (not rest or chance.random() < faulty) else rest)
        path.append((label, t))
    return path


def told(teller: Teller, start: tuple, path: list[tuple[str, tuple]]) -> list[list[Any]]:
    """A path as steps, each with the state after it where that is another than before."""
    steps: list[list[Any]] = []
    before = start
    shown = teller.state(start)
    for label, after in path:
        op = teller.op(label, before, after)
        if op is None:
            break
        now = teller.state(after)
        steps.append(
            [op]
            if now == shown
            else [op, [new if new != old else None for new, old in zip(now, shown, strict=True)]]
        )
        before, shown = after, now
    return steps


def scenarios(model: Any, run: Any) -> Iterator[tuple[str, Any, int, int]]:
    """Name, configuration, depth of all paths, number of random ones."""
    full = dict.fromkeys(run.ALL, True) | {"audit": True, "mode": "job"}
    leaf = ((),)
    tiny = model.Cfg(jobs=("R", "A"), prog=((((1,),),), leaf))
    three = model.Cfg(jobs=("R", "A", "B"), prog=((((1,), (2,), (1, 2)),), leaf, leaf))
    fork = model.Cfg(jobs=("R", "A", "B"), prog=((((1, 2),),), leaf, leaf))
    nondet = model.Cfg(jobs=("R", "A", "B"), prog=((((1,),), ((2,),)), leaf, leaf), vars=1)
    dup = model.Cfg(
        jobs=("R", "A", "B", "C"), depth=1, prog=((((1,), (2, 1)),), (((3,),),), (((1,),),), leaf)
    )
    big = model.Cfg(
        jobs=("R", "A", "B", "C", "D"),
        prog=((((1,), (2, 1)), ((2,), (4, 0))), (((3,),),), (((1, 3),),), (((4,),),), leaf),
        parallel=2,
        workers=3,
        vars=2,
    )
    faults = {"kills": 1, "rollbacks": 1, "ambs": 1}
    retries = {"errs": 1, "max_attempts": 2}
    for name, cfg, depth, walks in (
        ("tiny", replace(tiny, **faults), 7, 60),
        ("tiny, nothing redelivered", replace(tiny, max_redeliveries=0, rollbacks=1, kills=1), 7, 60),
        ("tiny, retry and stop", replace(tiny, stops=1, rollbacks=1, **retries), 6, 80),
        ("three batches", replace(three, max_redeliveries=1, **faults), 6, 80),
        ("fork under a cap", replace(fork, max_runs=2, kills=1, ambs=2, stops=1, **retries), 6, 60),
        ("a script that says something else", replace(nondet, max_redeliveries=0, **faults), 5, 80),
        ("duplicates, beyond the depth", replace(dup, parallel=2, kills=1, ambs=1, putfails=1), 6, 60),
        (
            "all faults",
            replace(big, kills=3, rollbacks=1, ambs=3, putfails=1, max_redeliveries=2, **retries),
            3,
            160,
        ),
        (
            "all faults and a stop",
            replace(big, kills=2, rollbacks=1, ambs=2, stops=1, putfails=1, **retries),
            3,
            120,
        ),
    ):
        yield name, replace(cfg, **full), depth, walks


def load(folder: str) -> tuple[Any, Any]:
    """Import the model."""
    sys.path.insert(0, folder)
    try:
        import model  # type: ignore[import-not-found]
        import run  # type: ignore[import-not-found]
    finally:
        sys.path.remove(folder)
    return model, run


def make(folder: str, seed: int, *, walks_only: bool = False) -> Iterator[dict[str, Any]]:
    """Make all traces; with `walks_only` the random ones."""
    model, run = load(folder)
    for name, cfg, depth, walks in scenarios(model, run):
        proto = followed(model.Proto)(cfg)
        teller = Teller(proto)
        start = proto.init()
        yield {"name": name, "path_steps": depth, **teller.scenario(), "start": teller.state(start)}
        for path in () if walks_only else paths(proto, depth):
            yield {"path": told(teller, start, path)}
        for n in range(walks):
            yield {"walk": told(teller, start, walk(proto, random.Random(f"{seed}/{name}/{n}"), 60))}


def main() -> None:
    """Write the traces, compressed, to standard output."""
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    lines = (json.dumps(line, separators=(",", ":")) for line in make(sys.argv[1], seed))
    sys.stdout.buffer.write(gzip.compress("\n".join(lines).encode() + b"\n", 9, mtime=0))


if __name__ == "__main__":
    main()
