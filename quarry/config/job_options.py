"""The settings of one job and its identity; a part of the table of options."""

from __future__ import annotations

from quarry.config.option import Option

_JOB, _IDENTITY = "Job", "Identity"

JOB_OPTIONS: tuple[Option, ...] = (
    Option(
        "script",
        "--script",
        "SCRIPT",
        "The script, in place of the argument: a path, a name under 'scripts:' or a module",
        env="QUARRY_SCRIPT",
        section=_JOB,
    ),
    Option(
        "job",
        "--job",
        "JSON|@FILE",
        "Parameters of the job: a JSON object, or @FILE to read one",
        default="{}",
        in_file=False,
        section=_JOB,
    ),
    Option(
        "job_json",
        "--job-json",
        "FILE",
        "File with the parameters of the job, a JSON object",
        in_file=False,
        section=_JOB,
    ),
    Option(
        "seeds",
        "--seeds",
        "FILE|-",
        "One URL or one JSON object a line, each distinct line a root of the crawl; - is standard input",
        env="QUARRY_SEEDS",
        path=True,
        section=_JOB,
    ),
    Option(
        "source",
        "--source",
        "TEXT",
        "Partition 'source' of the rows; at most 200 characters once percent-encoded",
        default="the script's stem",
        env="QUARRY_SOURCE",
        section=_JOB,
    ),
    Option(
        "category",
        "--category",
        "TEXT",
        "Partition 'category' of the rows; at most 200 characters once percent-encoded",
        default="default",
        env="QUARRY_CATEGORY",
        section=_JOB,
    ),
    Option(
        "run_id",
        "--run-id",
        "ID",
        "Id of the root run, and of the crawl: letters, digits and . _ - : @ + = ~, at most 200",
        default="a UUIDv7",
        in_file=False,
        section=_IDENTITY,
    ),
    Option("job_id", "--job-id", "ID", "Your own id of the job", in_file=False, section=_IDENTITY),
    Option(
        "attempt",
        "--attempt",
        "N",
        "Attempt number of the root run, from 1; above 1 it needs --parent-run-id",
        default="1",
        in_file=False,
        section=_IDENTITY,
    ),
    Option(
        "parent_run_id",
        "--parent-run-id",
        "ID",
        "Run id of the attempt before",
        in_file=False,
        section=_IDENTITY,
    ),
)
