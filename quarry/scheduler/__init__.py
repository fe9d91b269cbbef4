"""The ledger: what was received, admitted, leased and settled. One Lua file a step, in `lua/`."""

from quarry.scheduler.answers import (
    AdmitAnswer,
    Claim,
    CloseLease,
    ExpireAnswer,
    LedgerState,
    Owed,
    RetryAnswer,
    SeedAnswer,
    SettleAnswer,
    StopAnswer,
)
from quarry.scheduler.crawl import EXPIRE_AFTER_MS
from quarry.scheduler.jobs import Bounds, NewJob
from quarry.scheduler.key import JobKeyError, canonical_json, job_key
from quarry.scheduler.ledger import Ledger
from quarry.scheduler.registry import CrawlRegistry
from quarry.scheduler.steps import MAX_BATCH, ledger_scripts

__all__ = [
    "EXPIRE_AFTER_MS",
    "MAX_BATCH",
    "AdmitAnswer",
    "Bounds",
    "Claim",
    "CloseLease",
    "CrawlRegistry",
    "ExpireAnswer",
    "JobKeyError",
    "Ledger",
    "LedgerState",
    "NewJob",
    "Owed",
    "RetryAnswer",
    "SeedAnswer",
    "SettleAnswer",
    "StopAnswer",
    "canonical_json",
    "job_key",
    "ledger_scripts",
]
