"""What is wrong with a broker, and how to mend it. Pure: facts in, findings out.

Workers refuse to start by it, and ``quarry doctor`` shows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from quarry.redisio.facts import Reach

if TYPE_CHECKING:
    from quarry.redisio.facts import BrokerFacts

OLDEST_VERSION = (6, 2)
"""Redis version that the ledger's scripts need."""

MAX_CLOCK_S = 5.0
"""Seconds that two clocks may differ before it is said: ledger time is Redis's, a log's its machine's."""


class Severity(StrEnum):
    """What a finding means."""

    OK = "ok"
    WARNING = "warning"
    """It works, and promises less than it could."""

    BROKEN = "broken"
    """A worker refuses to start."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: What was looked at, in a word or two.
        severity: How it is.
        what: How it is, in a phrase without a full stop; no secret in it.
        mend: How to mend it, likewise; empty where nothing is to be mended.
    """

    check: str
    severity: Severity
    what: str
    mend: str = ""

    def sentence(self) -> str:
        """Give both as one line."""
        return f"{self.what}; {self.mend}" if self.mend else self.what


def check_broker(facts: BrokerFacts, address: str) -> list[Finding]:
    """Judge a broker.

    Args:
        facts: One look at it.
        address: It, without its password.

    Returns:
        One finding where it can't be used at all; else one for each thing that was looked at.
    """
    if facts.reach is not Reach.OK:
        what, mend = _UNUSABLE[facts.reach]
        said = f" ({facts.detail})" if facts.detail else ""
        return [Finding(check="broker", severity=Severity.BROKEN, what=f"{address}: {what}{said}", mend=mend)]
    found = [Finding(check="broker", severity=Severity.OK, what=f"{address} answers")]
    if facts.settings_known:
        found += [_version(facts), _mode(facts), _eviction(facts), _durability(facts)]
    else:
        found.append(
            Finding(
                check="broker settings",
                severity=Severity.WARNING,
                what="its settings could not be checked: this user may not call INFO",
                mend="allow it: ACL SETUSER … +info +time +config|get",
            )
        )
    if facts.ahead_s is not None:
        found.append(_clock(facts.ahead_s))
    return found


_UNUSABLE = {
    Reach.AWAY: (
        "Redis cannot be reached",
        "see that it runs, and that host, port and firewall let this machine in",
    ),
    Reach.LOGIN: (
        "Redis refuses the user or password",
        "put the right ones into the URL: redis://USER:PASSWORD@HOST:PORT/DB",
    ),
    Reach.TLS: (
        "no TLS connection to Redis could be made",
        "write redis:// for plain TCP; for TLS write rediss:// and trust its certificate: ?ssl_ca_certs=FILE",
    ),
    Reach.FOREIGN: (
        "what answers there speaks no Redis protocol",
        "see that the port is Redis's, and write rediss:// if it speaks TLS",
    ),
    Reach.REFUSED: ("Redis refuses every command", "see what it says, and its log"),
}


def _version(facts: BrokerFacts) -> Finding:
    if _parsed(facts.version) < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        return Finding(
            check="broker version",
            severity=Severity.BROKEN,
            what=f"Redis {facts.version or '(unknown version)'} is older than {oldest}",
            mend=f"install Redis {oldest} or newer, or Valkey",
        )
    return Finding(check="broker version", severity=Severity.OK, what=f"Redis {facts.version}")


def _mode(facts: BrokerFacts) -> Finding:
    if facts.cluster:
        return Finding(
            check="broker mode",
            severity=Severity.BROKEN,
            what="Redis runs in cluster mode, which Celery cannot use as a broker",
            mend="name a single Redis (cluster-enabled no)",
        )
    if facts.replica:
        return Finding(
            check="broker mode",
            severity=Severity.BROKEN,
            what="this Redis is a replica, and the ledger must be written to",
            mend="name the primary server",
        )
    return Finding(check="broker mode", severity=Severity.OK, what="a single primary server")


def _eviction(facts: BrokerFacts) -> Finding:
    if facts.maxmemory_policy != "noeviction":
        return Finding(
            check="broker memory",
            severity=Severity.BROKEN,
            what=f"Redis evicts keys when memory is full (maxmemory-policy {facts.maxmemory_policy}),"
            " and would forget work",
            mend="set maxmemory-policy noeviction",
        )
    return Finding(check="broker memory", severity=Severity.OK, what="evicts no keys")


def _durability(facts: BrokerFacts) -> Finding:
    if not facts.aof:
        return Finding(
            check="broker durability",
            severity=Severity.WARNING,
            what="Redis keeps no append-only file: a restart loses every crawl that is under way",
            mend="set appendonly yes and appendfsync everysec",
        )
    return Finding(check="broker durability", severity=Severity.OK, what="keeps an append-only file")


def _clock(ahead_s: float) -> Finding:
    if abs(ahead_s) > MAX_CLOCK_S:
        side = "ahead of" if ahead_s > 0 else "behind"
        return Finding(
            check="clock",
            severity=Severity.WARNING,
            what=f"Redis's clock is {abs(ahead_s):.1f} s {side} this machine's",
            mend="synchronise both by NTP: leases follow Redis's clock, logs and records this machine's",
        )
    return Finding(check="clock", severity=Severity.OK, what=f"within {MAX_CLOCK_S:g} s of Redis's")


def _parsed(version: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)
