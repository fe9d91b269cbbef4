"""The graph of the crawl over two hosts: what each job enqueues, and what it waits for. Pure."""

QUICK, HELD, TAILS = 40, 16, 2


def before_gate(kind: str, n: int) -> list[dict]:
    """Give the jobs that a job enqueues at once."""
    if kind == "root":
        quick = [{"kind": "quick", "n": i} for i in range(QUICK)]
        return [*quick, *({"kind": "held", "n": i} for i in range(HELD))]
    if kind == "quick":  # each leaf by two of them
        return [
            {"kind": "leaf", "n": leaf % (2 * QUICK)} for leaf in (2 * n, 2 * n + 1, 2 * n + 2, 2 * n + 3)
        ]
    if kind == "held":
        return [{"kind": "tail", "n": TAILS * n + i} for i in range(TAILS)]
    return []


def after_gate(kind: str, n: int) -> list[dict]:
    """Give the jobs that a job enqueues when its gate is open: those of some held ones, which are known already."""
    return [{"kind": "leaf", "n": n}] if kind == "held" and asks_again(n) else []


def asks_again(n: int) -> bool:
    """Say which held jobs need the ledger once more; half of them, without a period."""
    return n.bit_count() % 2 == 0


def gates(kind: str, n: int) -> list[str]:
    """Give the gates of a job; one that is open is enough."""
    return {"held": [f"gate-held-{n}", "gate-held"], "tail": ["gate-tail"]}.get(kind, [])


def jobs() -> dict[str, int]:
    """Give every job's name, and its enqueue events."""
    sizes = {"root": 1, "quick": QUICK, "held": HELD, "leaf": 2 * QUICK, "tail": TAILS * HELD}
    return {
        f"{kind}-{n}": len(before_gate(kind, n)) + len(after_gate(kind, n))
        for kind, size in sizes.items()
        for n in range(size)
    }
