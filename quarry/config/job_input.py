"""The job of the root run: from a flag, a file, or a URL argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarry.config.given import absolute
from quarry.config.jobs import MAX_JOB_BYTES, parse_job

if TYPE_CHECKING:
    from quarry.config.given import GivenValues, Inputs


def read_job(inputs: Inputs, values: GivenValues) -> tuple[dict[str, Any], list[str]]:
    """Read the job.

    Returns:
        The job (empty where nothing was given), and the problems.
    """
    given = [
        name
        for name, there in (
            ("the URL argument", inputs.url is not None),
            ("--job", "job" in values),
            ("--job-json", "job_json" in values),
            (values.place("seeds"), "seeds" in values),
        )
        if there
    ]
    if len(given) > 1:
        told = " and ".join((", ".join(given[:-1]), given[-1]))
        return {}, [f"{told} each say what the job is; give one of them"]
    if inputs.url is not None:
        return _job_of_url(inputs.url)
    if "job" in values:
        text: str = values.get("job")
        if text.startswith("@"):
            return _read_file(f"--job {text}", absolute(inputs.cwd, text[1:]) if text[1:] else "")
        return _parse("--job", text)
    if "job_json" in values:
        return _read_file(f"--job-json {values.get('job_json')}", values.path("job_json") or "")
    return {}, []


def _job_of_url(url: str) -> tuple[dict[str, Any], list[str]]:
    if not url or any(c.isspace() or not c.isprintable() for c in url):
        return {}, ["URL: must not be empty and must hold no blanks; pass anything else with --job"]
    return {"url": url}, []


def _read_file(place: str, path: str) -> tuple[dict[str, Any], list[str]]:
    if not path:
        return {}, [f"{place}: name a file after the @, as in --job @job.json"]
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_JOB_BYTES + 1)
        text = data.decode()
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            return {}, [f"{place}: is not UTF-8 (byte {error.start}); save it as UTF-8"]
        return {}, [f"{place}: can't be read: {getattr(error, 'strerror', None) or error}"]
    return _parse(place, text)


def _parse(place: str, text: str) -> tuple[dict[str, Any], list[str]]:
    try:
        return parse_job(text), []
    except ValueError as error:
        return {}, [f"{place}: {error}"]
