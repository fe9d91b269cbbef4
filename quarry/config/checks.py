"""What must hold between settings, and between them and the machine, before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarry.config import places
from quarry.config.pool_checks import command_problems
from quarry.config.values import check_partition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quarry.config.given import GivenValues, Inputs
    from quarry.config.settings import Settings


def run_problems(inputs: Inputs, values: GivenValues, settings: Settings) -> list[str]:
    """Give every problem of a ``quarry run`` beyond those of single values."""
    going_on = any(key in values or values.is_faulty(key) for key in ("attach", "resume"))
    if going_on:
        return [
            *_continue_problems(inputs, values, settings),
            *_output_problems(values),
            *_place_problems(values, settings),
        ]
    return [
        *_detach_problems(settings),
        *_script_problems(inputs, values, settings),
        *_identity_problems(values, settings),
        *_output_problems(values),
        *command_problems(values, settings),
        *_place_problems(values, settings),
    ]


_CONTINUING = frozenset(
    {
        "attach",
        "resume",
        "broker",
        "seeds",
        "max_failures",
        "report",
        "output.format",
        "output.quiet",
        "output.verbose",
        "output.no_color",
    }
)


def _continue_problems(inputs: Inputs, values: GivenValues, settings: Settings) -> Iterator[str]:
    flag = "--attach" if settings.attach is not None else "--resume"
    if settings.attach is not None and settings.resume is not None:
        yield "--attach and --resume: one is of a broker's crawl, the other of this machine's; give one"
    elif settings.attach is not None and settings.broker is None and not values.is_faulty("broker"):
        yield "--attach: needs --broker (or QUARRY_BROKER); a crawl of this machine goes on with --resume"
    elif settings.resume is not None and values.place("broker").startswith("--"):
        yield "--resume: is of a crawl of this machine; with --broker it is --attach"
    if settings.detach:
        yield f"--detach: is for a crawl that begins; leave it out, or leave {flag} out"
    left_out = [
        place
        for key in inputs.flags
        if key not in _CONTINUING and key != "detach" and (place := values.place(key)).startswith("--")
    ]
    if inputs.script is not None:
        left_out.insert(0, f"SCRIPT {inputs.script!r}")
    if left_out:
        yield f"{flag}: goes on with a crawl as it was begun; leave out {', '.join(left_out)}"


def _detach_problems(settings: Settings) -> Iterator[str]:
    if settings.detach and settings.broker is None:
        yield "--detach: needs --broker (or QUARRY_BROKER); without it the crawl ends with this command"
    if settings.detach and settings.report is not None:
        yield "--detach: leaves before there is a result; leave --report out"
    if settings.detach and settings.dry_run:
        yield "--detach and --dry-run: contradict each other; give one of them"


def _script_problems(inputs: Inputs, values: GivenValues, settings: Settings) -> Iterator[str]:
    place = values.place("script")
    if inputs.script is not None and place == "--script":
        yield (
            f"SCRIPT {inputs.script!r} and --script {values.get('script')!r}: give one of them"
            " (a URL comes second: quarry run SCRIPT URL)"
        )
    elif not settings.script and not values.is_faulty("script"):
        yield "no script: name one, as in quarry run SCRIPT URL"
    elif "source" not in values and settings.script:
        try:
            check_partition(settings.source)
        except ValueError as error:
            yield f"the script's stem can't be the source, it {error}; give --source"


def _identity_problems(values: GivenValues, settings: Settings) -> Iterator[str]:
    if values.is_faulty("attempt") or values.is_faulty("parent_run_id"):
        return
    if settings.attempt > 1 and settings.parent_run_id is None:
        yield f"--attempt {settings.attempt}: needs --parent-run-id, the run of the attempt before"
    if settings.attempt == 1 and settings.parent_run_id is not None and "attempt" not in values:
        yield "--parent-run-id: needs --attempt 2 or more; a first attempt has no attempt before it"
    elif settings.attempt == 1 and settings.parent_run_id is not None:
        yield "--attempt 1: has no attempt before it; leave --parent-run-id out"
    if settings.parent_run_id is not None and settings.parent_run_id == settings.run_id:
        yield "--run-id: must differ from --parent-run-id; each attempt is a run of its own"
    if settings.seeds is not None and settings.attempt > 1:
        yield "--attempt: is of one run, and seeds are many; leave it out"


def _output_problems(values: GivenValues) -> Iterator[str]:
    if values.get("output.quiet") and values.get("output.verbose"):
        yield (
            f"{values.place('output.quiet')} and {values.place('output.verbose')}: contradict each other;"
            " give one of them"
        )


def _place_problems(values: GivenValues, settings: Settings) -> Iterator[str]:
    checks = (
        ("seeds", settings.seeds if settings.seeds != "-" else None, places.file_problem),
        ("executor", settings.executor, places.program_problem),
        ("resolve_from", settings.resolve_from, places.folder_problem),
        ("scripts_root", settings.scripts_root if "scripts_root" in values else None, places.folder_problem),
        ("report", settings.report, places.new_file_problem),
    )
    for key, path, problem_of in checks:
        if path is not None and (problem := problem_of(path)) is not None:
            yield f"{values.place(key)}: {problem}"
    if settings.dry_run:
        return
    if (problem := places.writable_folder_problem(settings.storage_path)) is not None:
        yield f"{values.place('storage.path', '--storage-path')}: {problem}"
    if (problem := places.writable_folder_problem(settings.state_dir)) is not None:
        yield f"{values.place('state_dir', 'state folder (XDG_STATE_HOME, QUARRY_STATE_DIR)')}: {problem}"
