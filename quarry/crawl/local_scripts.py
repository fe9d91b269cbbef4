"""Where a crawl's scripts lie on this machine, and whether they are the crawl's version."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from quarry.crawl.targets import resolve
from quarry.types import Outcome, OutcomeStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quarry.crawl.plan import CrawlPlan, JobPayload
    from quarry.crawl.scripts import ScriptHashes
    from quarry.crawl.threads import Threads
    from quarry.scheduler import Ledger

_SHOWN_DIGITS = 12


class LocalScript(NamedTuple):
    """What this machine has for a job.

    Attributes:
        path: Absolute path of the script; None where it must not be executed.
        refusal: How the run ends instead; None where there is a path.
        sha256: Of the script where it was compared, hex; else None.
    """

    path: str | None
    refusal: Outcome | None
    sha256: str | None = None


class LocalScripts:
    """The scripts of this machine.

    A crawl of one machine names its scripts by the paths that its command saw. Over many machines a
    script is named by its path under the scripts root, and each machine has a root of its own.

    Args:
        root: Absolute folder of this machine's scripts; None takes paths as the crawl's command saw them.
        scripts: Absolute paths by logical name, where this machine's differ.
        host: Name of this machine, for messages.
    """

    def __init__(
        self, *, root: str | None = None, scripts: Mapping[str, str] | None = None, host: str | None = None
    ) -> None:
        self._root = root
        self._scripts = dict(scripts or {})
        self._host = host or socket.gethostname()

    def localized(self, plan: CrawlPlan) -> CrawlPlan:
        """Give the plan with the folders of this machine in place of the seeding one's."""
        if not plan.fleet or (self._root is None and not self._scripts):
            return plan
        root = self._root or plan.scripts_root
        return msgspec.structs.replace(
            plan,
            scripts_root=root,
            cwd=_moved(plan.cwd, plan.scripts_root, root) or root,
            resolve_from=_moved(plan.resolve_from, plan.scripts_root, root) or plan.resolve_from,
            scripts={
                name: msgspec.structs.replace(
                    entry,
                    path=self._scripts.get(name) or _moved(entry.path, plan.scripts_root, root) or entry.path,
                )
                for name, entry in plan.scripts.items()
            },
        )

    def path_of(self, plan: CrawlPlan, target: str, path: str | None) -> tuple[str | None, str | None]:
        """Find the script of a job; blocks where the crawl is one of many machines.

        Args:
            plan: The crawl, localized.
            target: Name of the script in the job's key.
            path: Its path where the job was made; None where it was not found there.

        Returns:
            Its path here, or None and the problem.
        """
        if not plan.fleet or path is None:
            return path, None
        found = resolve(
            target,
            emitter_dir=plan.scripts_root,
            scripts_root=plan.scripts_root,
            scripts={name: entry.path for name, entry in plan.scripts.items()},
            cwd=plan.scripts_root,
        )
        if found.path is None:
            return (
                None,
                f"{found.problem} (on {self._host}); put the script there, or start the worker elsewhere",
            )
        allowed = {entry.path for entry in plan.scripts.values()}
        if self._root is not None and found.path not in allowed and not _is_under(found.path, self._root):
            return None, f"target {target!r}: lies outside of the scripts root {self._root} (on {self._host})"
        return found.path, None

    async def check(
        self,
        plan: CrawlPlan,
        job: JobPayload,
        *,
        ledger: Ledger,
        hashes: ScriptHashes,
        recorded: dict[str, str],
        threads: Threads,
    ) -> LocalScript:
        """Find a job's script, and compare it with the version that the crawl executes.

        Args:
            plan: The crawl, localized.
            job: The job.
            ledger: Keeps the version that was recorded first.
            hashes: Of this machine's files.
            recorded: What the ledger said before, by target; a run of a known script asks it nothing.
            threads: For looking at the disk: a scripts root on a mount that hangs must not stop the process's
                heartbeat.
        """
        # On one machine the path is known and the hash is not compared: nothing is looked at.
        path, problem, here = (
            await threads.run(self._look, plan, job, hashes) if plan.fleet else (job.path, None, None)
        )
        if path is None:
            problem = problem or job.problem or f"target {job.target!r} could not be resolved"
            return LocalScript(None, _crash("unresolved_target", problem))
        if here is not None:
            first = plan.versions.get(job.target) or recorded.get(job.target)
            if first is None:
                first = recorded[job.target] = await ledger.record_script(job.target, here)
            if first != here:
                return LocalScript(
                    None,
                    _crash(
                        "script_mismatch",
                        f"{job.target} on {self._host} (SHA-256 {here[:_SHOWN_DIGITS]}…) is not the"
                        f" version that this crawl executes ({first[:_SHOWN_DIGITS]}…); give every worker"
                        " the same scripts",
                    ),
                )
        return LocalScript(path, None, here)

    def _look(
        self, plan: CrawlPlan, job: JobPayload, hashes: ScriptHashes
    ) -> tuple[str | None, str | None, str | None]:
        """Give a job's script, or the problem, and its hash; blocks."""
        path, problem = self.path_of(plan, job.target, job.path)
        return path, problem, hashes.sha256(path) if path is not None else None


def _crash(error_type: str, message: str) -> Outcome:
    return Outcome(status=OutcomeStatus.EXECUTOR_CRASH, message=message, error_type=error_type)


def _moved(path: str | None, old_root: str, new_root: str) -> str | None:
    """Give the path under the new root of what lies under the old one; None of anything else."""
    if path is None or not _is_under(path, old_root):
        return None
    return os.path.normpath(os.path.join(new_root, os.path.relpath(path, old_root)))


def _is_under(path: str, root: str) -> bool:
    return os.path.commonpath([os.path.realpath(path), os.path.realpath(root)]) == os.path.realpath(root)
