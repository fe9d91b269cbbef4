"""The shape of the settings, as pydantic checks it: every problem in one pass, each with its key.

All leaves arrive as text. Unknown keys are refused; the nearest known one is found by who prints the problem.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from quarry.config import fleet_options, options, origins, pools, values
from quarry.config.settings import MaxFailures  # noqa: TC001 - pydantic reads the annotation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _leaf(check: Callable[[str], Any]) -> BeforeValidator:
    def validate(value: Any) -> Any:
        if value is None:
            raise PydanticCustomError("quarry", "has no value; give one, or leave the key out")
        if not isinstance(value, str):
            raise PydanticCustomError("quarry", "must be a single value, not a list or a mapping")
        try:
            return check(value)
        except ValueError as error:
            raise PydanticCustomError("quarry", "{problem}", {"problem": str(error)}) from error

    return BeforeValidator(validate)


def _shorthand(key: str) -> BeforeValidator:
    """Let a single text stand for a mapping with one key."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


Text = Annotated[str, _leaf(values.check_text)]
PathText = Annotated[str, _leaf(values.check_path)]
Partition = Annotated[str, _leaf(values.check_partition)]
Identifier = Annotated[str, _leaf(values.check_id)]
Switch = Annotated[bool, _leaf(values.check_switch)]
Price = Annotated[float, _leaf(values.check_price)]
PoolChoice = Annotated[str, _leaf(pools.check_pool_choice)]
ScriptName = Annotated[str, _leaf(values.check_script_name)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class StorageValues(_Strict):
    """``storage:``."""

    backend: Annotated[str, _leaf(values.one_of(options.BACKENDS))] | None = None
    path: PathText | None = None
    dataset: Annotated[str, _leaf(values.check_dataset)] | None = None


class PolicyValues(_Strict):
    """``policy:``; a single text is its name."""

    name: Annotated[str, _leaf(values.one_of(options.POLICIES))] | None = None


class OutputValues(_Strict):
    """``output:``."""

    format: Annotated[str, _leaf(values.one_of(options.FORMATS))] | None = None
    quiet: Switch | None = None
    verbose: Switch | None = None
    no_color: Switch | None = None


class ScriptValues(_Strict):
    """An entry of ``scripts:``; a single text is its path."""

    path: PathText
    source: Partition | None = None
    category: Partition | None = None
    profile: Annotated[str, _leaf(values.one_of(options.PROFILES))] | None = None
    proxy: PoolChoice | None = None


class LedgerValues(_Strict):
    """``ledger:``."""

    lease: (
        Annotated[int, _leaf(values.duration_between(fleet_options.MIN_LEASE_MS, fleet_options.MAX_LEASE_MS))]
        | None
    ) = None
    claim: Annotated[int, _leaf(values.duration_between(1, fleet_options.MAX_WAIT_MS))] | None = None
    grace: Annotated[int, _leaf(values.duration_between(1, fleet_options.MAX_WAIT_MS))] | None = None
    expire_after: Annotated[int, _leaf(values.duration_between(1000, fleet_options.MAX_EXPIRE_MS))] | None = (
        None
    )
    high_water: Annotated[int, _leaf(values.integer_between(1, fleet_options.MAX_HIGH_WATER))] | None = None


class ProxyValues(_Strict):
    """``proxy:``; a single text is the name of its pool."""

    pool: PoolChoice | None = None
    strategy: Annotated[str, _leaf(pools.check_strategy)] | None = None
    sticky_key: Text | None = None
    domain: Annotated[str, _leaf(origins.check_domain)] | None = None
    origin: Annotated[str, _leaf(origins.check_origin)] | None = None


class PriceValues(_Strict):
    """``simulate.prices:``."""

    put_per_1000: Price | None = None
    gb_month: Price | None = None
    core_hour: Price | None = None
    redis_gb_hour: Price | None = None
    currency: Text | None = None


class SimulateValues(_Strict):
    """``simulate:``."""

    prices: PriceValues = Field(default_factory=PriceValues)


class FileValues(_Strict):
    """What the configuration file may say; ``proxies`` and ``secrets`` have readers of their own."""

    script: Text | None = None
    seeds: PathText | None = None
    source: Partition | None = None
    category: Partition | None = None
    storage: StorageValues = Field(default_factory=StorageValues)
    policy: Annotated[PolicyValues, _shorthand("name")] = Field(default_factory=PolicyValues)
    depth: Annotated[int, _leaf(values.integer_between(0, options.MAX_DEPTH))] | None = None
    max_runs: Annotated[int, _leaf(values.integer_between(1, options.MAX_RUNS))] | None = None
    parallel: Annotated[int, _leaf(values.integer_between(1, options.MAX_PARALLEL))] | None = None
    max_attempts: Annotated[int, _leaf(values.integer_between(1, options.MAX_ATTEMPTS))] | None = None
    max_redeliveries: Annotated[int, _leaf(values.integer_between(0, options.MAX_REDELIVERIES))] | None = None
    max_failures: Annotated[MaxFailures, _leaf(values.check_max_failures)] | None = None
    max_duration: Annotated[int, _leaf(values.duration_between(1, fleet_options.MAX_DURATION_MS))] | None = (
        None
    )
    broker: Annotated[str, _leaf(values.check_broker)] | None = None
    ledger: LedgerValues = Field(default_factory=LedgerValues)
    simulate: SimulateValues = Field(default_factory=SimulateValues)
    proxy: Annotated[ProxyValues, _shorthand("pool")] = Field(default_factory=ProxyValues)
    executor: PathText | None = None
    timeout: Annotated[int, _leaf(values.check_duration)] | None = None
    resolve_from: PathText | None = None
    scripts_root: PathText | None = None
    scripts: dict[ScriptName, Annotated[ScriptValues, _shorthand("path")]] = Field(default_factory=dict)
    state_dir: PathText | None = None
    report: PathText | None = None
    output: OutputValues = Field(default_factory=OutputValues)


class CommandValues(FileValues):
    """What the command line may say."""

    job: str | None = None
    job_json: PathText | None = None
    run_id: Identifier | None = None
    job_id: Text | None = None
    attempt: Annotated[int, _leaf(values.integer_between(1, options.MAX_RUNS))] | None = None
    parent_run_id: Identifier | None = None
    dry_run: Switch | None = None
    detach: Switch | None = None
    attach: Identifier | None = None
    resume: Identifier | None = None


class Fault(NamedTuple):
    """One problem of a source: the dotted key's parts, what is wrong, and whether the key is unknown."""

    key: tuple[str, ...]
    problem: str
    unknown: bool


def check_values(model: type[FileValues], raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """Check one source.

    Args:
        model: Which keys it may hold.
        raw: Nested mapping, all leaves text.

    Returns:
        The values without fault, by dotted key (``scripts`` as one mapping of ScriptValues), and every fault.
    """
    try:
        return _given(model.model_validate(raw)), []
    except ValidationError as error:
        faults = [_fault(detail) for detail in error.errors(include_url=False, include_input=False)]
    # The rest is checked again by itself: the checks between settings must see what is right.
    rest = copy.deepcopy(dict(raw))
    for fault in faults:
        _remove(rest, fault.key)
    try:
        return _given(model.model_validate(rest)), faults
    except ValidationError:
        return {}, faults


def _remove(raw: dict[str, Any], key: tuple[str, ...]) -> None:
    *parents, last = key
    place: Any = raw
    for parent in parents:
        inner = place.get(parent)
        if not isinstance(inner, dict):
            # A text stood for the whole mapping.
            place.pop(parent, None)
            return
        place = inner
    if parents[:1] == ["scripts"] and len(parents) > 1:
        raw["scripts"].pop(parents[1], None)  # an entry is of use only whole
    else:
        place.pop(last, None)


def _fault(detail: Any) -> Fault:
    # Unions and dict keys add parts to the place that no user wrote.
    key = tuple(str(part) for part in detail["loc"] if part != "[key]" and "[" not in str(part))
    kind = detail["type"]
    if kind == "extra_forbidden":
        return Fault(key, "unknown key", unknown=True)
    if kind == "missing":
        return Fault(key, "is missing", unknown=False)
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        return Fault(key, "must be a mapping of keys to values", unknown=False)
    return Fault(key, detail["msg"], unknown=False)


def _given(model: BaseModel, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if name not in model.model_fields_set or value is None:
            continue
        if isinstance(value, BaseModel):
            found.update(_given(value, f"{prefix}{name}."))
        else:
            found[prefix + name] = value
    return found
