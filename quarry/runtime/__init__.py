"""One run's execution: executors and their supervision, deadline, ingestion, artifacts, outcome, report."""

from quarry.runtime.artifacts import ArtifactStats
from quarry.runtime.files import FileStats
from quarry.runtime.pool import ExecutorPool
from quarry.runtime.process import ExecutorStartError, check_executor
from quarry.runtime.report import RunReport
from quarry.runtime.session import OnEnqueue, OnRotate
from quarry.runtime.single import SingleShot
from quarry.runtime.spec import RunSpec
from quarry.runtime.storing import FilePut
from quarry.runtime.validate import ValidateResult, validate_script

__all__ = [
    "ArtifactStats",
    "ExecutorPool",
    "ExecutorStartError",
    "FilePut",
    "FileStats",
    "OnEnqueue",
    "OnRotate",
    "RunReport",
    "RunSpec",
    "SingleShot",
    "ValidateResult",
    "check_executor",
    "validate_script",
]
