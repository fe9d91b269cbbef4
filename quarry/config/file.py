"""The YAML file as text leaves with their lines; every problem of its form at once.

The node tree is read, not the constructed values: a leaf is what the user wrote (``007`` stays ``007``), and
each key keeps its line. This also leaves aliases and tags without effect.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from quarry.config.expand import expand
from quarry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_BYTES = 1024 * 1024
_MAX_NESTING = 20
_MAX_KEYS = 10_000
_NULL_TAG = "tag:yaml.org,2002:null"

Key = tuple[str, ...]


class Document(NamedTuple):
    """A configuration file.

    Attributes:
        raw: Nested mapping; leaves are expanded text.
        lines: Line of each key, from 1.
        problems: Each with key path and line.
        broken: Keys whose value is None because of a problem.
    """

    raw: dict[str, Any]
    lines: dict[Key, int]
    problems: list[tuple[int, str]]
    broken: set[Key]


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
        return Document({}, {}, [], set())
    if not isinstance(root, MappingNode):
        raise ConfigError(f"--config {path}:1: must be a mapping of keys to values")
    raw = reader.mapping(root, ())
    return Document(raw, reader.lines, reader.problems, reader.broken)


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
        problem = " ".join(" ".join(told).split()) or "it can't be parsed"
        raise ConfigError(f"--config {place}: is not YAML: {problem}") from error
    except YAMLError as error:
        # An unprintable character, without a mark; the first line of the message names it.
        raise ConfigError(f"--config {path}: is not YAML: {str(error).splitlines()[0]}") from error
    except RecursionError:
        raise ConfigError(f"--config {path}: is nested too deeply") from None


class _Reader:
    """Turns nodes into text leaves."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.lines: dict[Key, int] = {}
        self.problems: list[tuple[int, str]] = []
        self.broken: set[Key] = set()
        self._keys = 0

    def mapping(self, node: MappingNode, parent: Key) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            self._keys += 1
            if self._keys > _MAX_KEYS:  # aliases of aliases multiply
                raise ConfigError(f"--config: line {line}: more than {_MAX_KEYS} keys, aliases counted")
            if not isinstance(key_node, ScalarNode):
                self._problem(line, parent, "a key must be a plain text")
                continue
            key = (*parent, str(key_node.value))
            if key_node.value in found:
                self._problem(line, key, f"stands twice; it is in line {self.lines[key]} already")
                continue
            self.lines[key] = line
            found[key_node.value] = self._value(value_node, key)
        return found

    def _value(self, node: Any, key: Key) -> Any:
        line = node.start_mark.line + 1
        if len(key) > _MAX_NESTING:
            self._problem(line, key, "is nested too deeply")
            return ""
        if isinstance(node, MappingNode):
            return self.mapping(node, key)
        if isinstance(node, SequenceNode):
            return []  # no setting takes a list; the model says so
        if node.tag == _NULL_TAG and node.style is None:
            self._problem(self.lines[key], key, "has no value; give one, or leave the key out")
            self.broken.add(key)
            return None
        text, problems = expand(str(node.value), self._environment)
        for problem in problems:
            self._problem(line, key, problem)
        if problems:
            self.broken.add(key)
            return None
        return text

    def _problem(self, line: int, key: Key, problem: str) -> None:
        self.problems.append((line, f"{'.'.join(key)}: {problem}" if key else problem))
