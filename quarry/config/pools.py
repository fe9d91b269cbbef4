"""The proxy pools of the configuration file: all problems of all pools in one pass, each at its key."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quarry.config.endpoint_lists import EndpointGatherer
from quarry.config.keys import KeyProblem
from quarry.config.suggest import did_you_mean
from quarry.config.values import check_switch, duration_between, integer_between, one_of
from quarry.types.proxy import (
    MAX_ENDPOINTS,
    STICKY_SCOPES,
    STRATEGIES,
    Endpoint,
    Health,
    ProxyPool,
    Sticky,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from quarry.config.keys import Key

NO_POOL = "none"
"""What a script, or the command, says in place of a pool to have no proxy."""

MAX_STICKY_MS = 7 * 24 * 3_600_000
MAX_REST_MS = 24 * 3_600_000
MIN_REST_MS = 10
MAX_FAILURES = 1000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEYS = (
    "strategy",
    "endpoints",
    "endpoints_file",
    "endpoints_env",
    "sticky",
    "recency_window",
    "health",
)
_DURATIONS = ("window", "rest", "max_rest", "trial", "ban")
_A_SINGLE_VALUE = "must be a single value, not a list or a mapping"


@dataclass
class FoundPools:
    """What ``proxies:`` defines.

    Attributes:
        pools: Those without fault, by name.
        faulty: Names of the others.
        problems: All of them.
        warnings: What has no effect.
    """

    pools: dict[str, ProxyPool] = field(default_factory=dict)
    faulty: set[str] = field(default_factory=set, repr=False)
    problems: list[KeyProblem] = field(default_factory=list)
    warnings: list[KeyProblem] = field(default_factory=list)


def read_pools(raw: Any, *, base: str, environment: Mapping[str, str]) -> FoundPools:
    """Read ``proxies:``.

    Args:
        raw: As the file says it; secrets in it are `Secret`.
        base: Folder that relative paths belong to.
        environment: Variables that ``endpoints_env`` may name.
    """
    found = FoundPools()
    if not isinstance(raw, dict):
        text = "must be a mapping of names to pools; 'proxy: NAME' is what chooses one"
        found.problems.append(KeyProblem(("proxies",), text))
        return found
    for name, definition in raw.items():
        reader = _PoolReader(name, definition, base=base, environment=environment)
        pool = reader.read()
        found.problems += reader.problems
        found.warnings += reader.warnings
        if pool is None or reader.problems:
            found.faulty.add(name)
        else:
            found.pools[name] = pool
    return found


def check_pool_name(text: str) -> str:
    """Check the name of a pool."""
    if not _NAME.fullmatch(text) or text.lower() == NO_POOL:
        raise ValueError(
            "a pool's name must be 1 to 64 letters, digits and . _ -, begin with a letter or digit, and not"
            f" be {NO_POOL}"
        )
    return text


def check_pool_choice(text: str) -> str:
    """Check what chooses a pool: its name, or that there shall be none."""
    if text.lower() == NO_POOL:
        return NO_POOL
    if not _NAME.fullmatch(text):
        raise ValueError(f"must be the name of a pool under 'proxies:', or {NO_POOL}")
    return text


def check_strategy(text: str) -> str:
    """Check a strategy; ``round-robin`` is ``round_robin``."""
    return one_of(STRATEGIES)(text.replace("-", "_"))


class _PoolReader:
    """Reads one pool."""

    def __init__(self, name: str, raw: Any, *, base: str, environment: Mapping[str, str]) -> None:
        self._name = name
        self._raw = raw
        self._key: Key = ("proxies", name)
        self._base = base
        self._environment = environment
        self.problems: list[KeyProblem] = []
        self.warnings: list[KeyProblem] = []

    def read(self) -> ProxyPool | None:
        try:
            check_pool_name(self._name)
        except ValueError as error:
            self._problem(self._key, str(error))
        if self._raw is None:  # told by who read the file
            return None
        if not isinstance(self._raw, dict):
            self._problem(self._key, f"must be a mapping of {', '.join(_KEYS)}")
            return None
        self._refuse_unknown(self._raw, self._key, _KEYS)
        # Where it is given and wrong, nothing is said to be without effect.
        default = "" if "strategy" in self._raw else "round_robin"
        strategy: str = self._leaf(self._raw, (*self._key, "strategy"), check_strategy, default)
        sticky = self._sticky(strategy)
        window = self._window(strategy)
        health = self._health()
        endpoints = self._endpoints(window)
        return ProxyPool(
            name=self._name,
            strategy=strategy,
            endpoints=endpoints,
            sticky=sticky,
            recency_window=window,
            health=health,
        )

    def _endpoints(self, window: int) -> tuple[Endpoint, ...]:
        gatherer = EndpointGatherer(self._key)
        given = self._raw
        if given.get("endpoints") is not None:
            gatherer.add_list(given["endpoints"])
        if given.get("endpoints_file") is not None:
            gatherer.add_file(given["endpoints_file"], self._base)
        if given.get("endpoints_env") is not None:
            gatherer.add_variable(given["endpoints_env"], self._environment)
        self.problems += gatherer.problems
        count = len(gatherer.endpoints)
        if not {"endpoints", "endpoints_file", "endpoints_env"} & given.keys():
            self._problem(
                self._key,
                "has no endpoints; list them under endpoints, or name endpoints_file or endpoints_env",
            )
        elif count > MAX_ENDPOINTS:
            self._problem(
                self._key, f"has more than {MAX_ENDPOINTS} endpoints, the most of a pool; make two of it"
            )
        elif 0 < count <= window and not gatherer.problems:
            self._warn(
                "recency_window",
                f"leaves none of the {count} endpoints to choose from: it is always the one that was used"
                " longest ago",
            )
        return tuple(gatherer.endpoints)

    def _sticky(self, strategy: str) -> Sticky | None:
        key = (*self._key, "sticky")
        raw = self._section(key, ("scope", "ttl", "ttl_ms"))
        given = raw or {}
        ttl_ms = self._leaf(given, (*key, "ttl"), duration_between(1, MAX_STICKY_MS), None)
        if "ttl_ms" in given:
            if "ttl" in given:
                self._problem((*key, "ttl_ms"), "says what ttl says, in milliseconds; give one of them")
            ttl_ms = self._leaf(given, (*key, "ttl_ms"), integer_between(1, MAX_STICKY_MS), None)
        sticky = Sticky(scope=self._leaf(given, (*key, "scope"), one_of(STICKY_SCOPES), "job"), ttl_ms=ttl_ms)
        if strategy == "sticky":
            return sticky
        if raw is not None and strategy:
            self._warn("sticky", f"has no effect with strategy {strategy}, only with sticky")
        return None

    def _window(self, strategy: str) -> int:
        check = integer_between(1, MAX_ENDPOINTS)
        window: int = self._leaf(self._raw, (*self._key, "recency_window"), check, 0)
        if window and strategy not in {"random", ""}:
            self._warn("recency_window", f"has no effect with strategy {strategy}, only with random")
        return window if strategy == "random" else 0

    def _health(self) -> Health:
        key = (*self._key, "health")
        raw = self._raw.get("health")
        if raw is None:
            return Health()
        known = ("failures", *_DURATIONS)
        if isinstance(raw, str):
            try:
                return Health(enabled=check_switch(raw))
            except ValueError:
                self._problem(key, f"must be on, off, or a mapping of {', '.join(known)}")
                return Health()
        section = self._section(key, known) or {}
        check = duration_between(MIN_REST_MS, MAX_REST_MS)
        given = {
            f"{name}_ms": value
            for name in _DURATIONS
            if (value := self._leaf(section, (*key, name), check, None)) is not None
        }
        failures = self._leaf(
            section, (*key, "failures"), integer_between(1, MAX_FAILURES), Health().failures
        )
        health = Health(failures=failures, **given)
        if health.rest_ms > health.max_rest_ms:
            self._problem(
                (*key, "rest" if "rest_ms" in given else "max_rest"),
                "rest must not be longer than max_rest (30s and 30m where they are not given)",
            )
        return health

    def _section(self, key: Key, known: tuple[str, ...]) -> dict[str, Any] | None:
        raw = self._raw.get(key[-1])
        if raw is None:
            return None
        if not isinstance(raw, dict):
            self._problem(key, f"must be a mapping of {', '.join(known)}")
            return None
        self._refuse_unknown(raw, key, known)
        return raw

    def _leaf(self, raw: dict[str, Any], key: Key, check: Callable[[str], Any], default: Any) -> Any:
        value = raw.get(str(key[-1]))
        if value is None:
            return default
        if not isinstance(value, str):
            self._problem(key, _A_SINGLE_VALUE)
            return default
        try:
            return check(value)
        except ValueError as error:
            self._problem(key, str(error))
            return default

    def _refuse_unknown(self, raw: dict[str, Any], key: Key, known: tuple[str, ...]) -> None:
        for name in raw:
            if name not in known:
                self._problem((*key, name), f"unknown key{did_you_mean(name, known)}")

    def _problem(self, key: Key, text: str) -> None:
        self.problems.append(KeyProblem(key, text))

    def _warn(self, name: str, text: str) -> None:
        self.warnings.append(KeyProblem((*self._key, name), text))
