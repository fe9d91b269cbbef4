"""A command in small: starts server and worker, writes down whom it started, and then does as it is told."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import quarry.engine.server
import quarry.engine.worker
from quarry.engine import EmbeddedWorker, PrivateServer


def main(folder: Path, then: str, deliverer: str) -> None:
    if then == "wait without the signal":  # as on a system that has none
        quarry.engine.server.make_parent_death_hook = lambda: None
        quarry.engine.worker.make_parent_death_hook = lambda: None
    server = PrivateServer(folder / "state")
    server.start()
    worker = EmbeddedWorker(
        server.url, concurrency=4, log_path=folder / "worker.log", deliverer=deliverer, grace_s=600
    )
    try:
        worker.start()
        pids = {"server": server.pid, "worker": worker.pid, "socket": str(server.socket_path)}
        (folder / "pids.tmp").write_text(json.dumps(pids))
        (folder / "pids.tmp").rename(folder / "pids")
        if then == "raise":
            raise RuntimeError("as told")
        if then == "return":
            return
        time.sleep(600)
    finally:
        worker.stop(warm=False)
        server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
