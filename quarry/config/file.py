"""The YAML file as text leaves with their places; every problem of its form at once.

The node tree is read, not the constructed values: a leaf is what the user wrote (``007`` stays ``007``), and
each key keeps its place. This also leaves aliases and tags without effect. Leaves that are secrets by their
key become `Secret` here, before anything else sees them.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from quarry.config.expand import expand, variables_of
from quarry.config.keys import (
    Key,
    KeyProblem,
    Place,
    dotted,
    has_column,
    is_name_of_secrets,
    is_secret,
    is_single_secret,
    subject,
)
from quarry.errors import ConfigError
from quarry.types.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MAX_BYTES = 16 * 1024 * 1024
_MAX_NESTING = 20
_MAX_KEYS = 250_000
"""Keys and list items: 100,000 endpoints as URLs fit. Far more would take minutes to parse."""
_NULL_TAG = "tag:yaml.org,2002:null"
_NAMED = re.compile(r"(undefined alias|tag handle|anchor) .*", re.DOTALL)
"""What a YAML problem repeats: a password that begins with ``*`` or ``!`` is an alias or a tag."""
_QUOTING = "; a value that begins with one of & * ! % @ ` { [ | > or holds '${' within braces needs quotes"


@dataclass(frozen=True)
class Document:
    """A configuration file.

    Attributes:
        raw: Nested mapping; leaves are expanded text, or `Secret`.
        places: Of each key and each list item.
        problems: In no order.
        broken: Keys whose value is None because of a problem.
        secret_variables: Names of the variables that secrets come from.
    """

    raw: dict[str, Any] = field(default_factory=dict, repr=False)
    places: dict[Key, Place] = field(default_factory=dict, repr=False)
    problems: list[tuple[Place, KeyProblem]] = field(default_factory=list)
    broken: set[Key] = field(default_factory=set)
    secret_variables: set[str] = field(default_factory=set, repr=False)

    def place(self, key: Key) -> Place:
        """Say where a key stands, or the nearest one around it."""
        parts = (key[:length] for length in range(len(key), 0, -1))
        return next((self.places[part] for part in parts if part in self.places), Place(1, 1))

    def told(self, path: str, found: Iterable[KeyProblem] = ()) -> list[str]:
        """Give the problems as lines for the user, in the order of the file.

        Args:
            path: The file, as messages name it.
            found: Further problems, that others found.
        """
        problems = self.problems + [(self.place(problem.key), problem) for problem in found]
        problems.sort(key=lambda problem: problem[0])
        return [told_at(path, place, problem) for place, problem in problems]


def told_at(path: str, place: Place, problem: KeyProblem) -> str:
    """Give a problem with its place: ``quarry.yaml:3: depth: must be …``."""
    where = f"{path}:{place.line}:{place.column}" if has_column(problem.key) else f"{path}:{place.line}"
    return f"{where}: {dotted(problem.key)}: {problem.text}" if problem.key else f"{where}: {problem.text}"


def read_document(path: str, environment: Mapping[str, str]) -> Document:
    """Read a configuration file and expand its variables.

    Args:
        path: The file.
        environment: Variables for ``${VAR}``.

    Raises:
        ConfigError: The file can't be read or is no YAML mapping; other problems are returned.
    """
    root = _compose(path, _read(path))
    reader = _Reader(environment)
    if root is None:
        return Document()
    if not isinstance(root, MappingNode):
        raise ConfigError(f"--config {path}:1: must be a mapping of keys to values")
    raw = reader.mapping(root, ())
    return Document(raw, reader.places, reader.problems, reader.broken, reader.secret_variables)


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"--config {path}: can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError("--config: the path holds a NUL character") from error
    if len(data) > _MAX_BYTES:
        raise ConfigError(
            f"--config {path}: is larger than {_MAX_BYTES} bytes; that is no configuration file"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"--config {path}:{line}: is not UTF-8; save it as UTF-8") from error


def _compose(path: str, text: str) -> Any:
    try:
        return YAML(typ="rt", pure=True).compose(io.StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        told = [str(part) for part in (error.context, error.problem) if part]
        problem = _NAMED.sub(r"\1", " ".join(" ".join(told).split())) or "it can't be parsed"
        # The cause would quote the line, and a line may hold a password.
        raise ConfigError(f"--config {place}: is not YAML: {problem}{_QUOTING}") from None
    except YAMLError as error:
        # An unprintable character, without a mark; the first line of the message names it.
        raise ConfigError(f"--config {path}: is not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ConfigError(f"--config {path}: is nested too deeply") from None


class _Reader:
    """Turns nodes into leaves."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.places: dict[Key, Place] = {}
        self.problems: list[tuple[Place, KeyProblem]] = []
        self.broken: set[Key] = set()
        self.secret_variables: set[str] = set()
        self._keys = 0

    def mapping(self, node: MappingNode, parent: Key) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = self._count(key_node)
            if not isinstance(key_node, ScalarNode):
                self._problem(place, parent, "a key must be a plain text")
                continue
            key = (*parent, str(key_node.value))
            if key_node.value in found:
                self._told(place, key, f"stands twice; it is in line {self.places[key].line} already")
                continue
            self.places[key] = place
            found[key_node.value] = self._value(value_node, key)
        return found

    def _sequence(self, node: SequenceNode, parent: Key) -> list[Any]:
        found = []
        for at, item in enumerate(node.value):
            key = (*parent, at)
            self.places[key] = self._count(item)
            found.append(self._value(item, key))
        return found

    def _count(self, node: Any) -> Place:
        place = _place(node)
        self._keys += 1
        if self._keys > _MAX_KEYS:  # aliases of aliases multiply
            raise ConfigError(
                f"--config: line {place.line}: more than {_MAX_KEYS} keys, aliases counted; a pool takes many"
                " endpoints from a file (endpoints_file)"
            )
        return place

    def _value(self, node: Any, key: Key) -> Any:
        place = _place(node)
        if len(key) > _MAX_NESTING:
            self._told(place, key, "is nested too deeply")
            return ""
        if not isinstance(node, ScalarNode):
            if is_single_secret(key):
                self._told(place, key, "must be a single value, not a list or a mapping")
                self.broken.add(key)
                return None
            return self.mapping(node, key) if isinstance(node, MappingNode) else self._sequence(node, key)
        if node.tag == _NULL_TAG and node.style is None:
            self._told(self.places[key], key, "has no value; give one, or leave the key out")
            self.broken.add(key)
            return None
        text, problems = expand(str(node.value), self._environment)
        for problem in problems:
            self._problem(place, key, problem)
        if problems:
            self.broken.add(key)
            return None
        if is_secret(key):
            self.secret_variables |= variables_of(str(node.value))
            return Secret(text)
        if is_name_of_secrets(key):
            self.secret_variables.add(text)
        return text

    def _told(self, place: Place, key: Key, problem: str) -> None:
        self._problem(place, key, f"{subject(key)}{problem}")

    def _problem(self, place: Place, key: Key, problem: str) -> None:
        self.problems.append((place, KeyProblem(key, problem)))


def _place(node: Any) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)
