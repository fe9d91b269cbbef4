"""The endpoints of a pool, put together from its list, a file and a variable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarry.config.endpoint_items import plain_text, read_item
from quarry.config.endpoint_texts import lines_of, read_file, read_variable
from quarry.config.endpoints import parse_endpoint
from quarry.config.keys import KeyProblem
from quarry.types.proxy import MAX_ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quarry.config.keys import Key
    from quarry.types.proxy import Endpoint

_MAX_SHOWN = 20


class EndpointGatherer:
    """Puts the endpoints of one pool together, in the order in which the sources are added.

    Of each source the first twenty problems are kept, and how many there are.

    Args:
        pool: Key of the pool.
    """

    def __init__(self, pool: Key) -> None:
        self.endpoints: list[Endpoint] = []
        self.problems: list[KeyProblem] = []
        self._pool = pool
        self._places: dict[str, str] = {}

    def add_list(self, raw: Any) -> None:
        """Add those of ``endpoints``: URLs and mappings."""
        key = (*self._pool, "endpoints")
        if not isinstance(raw, list):
            self.problems.append(KeyProblem(key, "must be a list: one endpoint a line, each after '- '"))
            return
        told: list[KeyProblem] = []
        for at, item in enumerate(raw):
            endpoint, problems = read_item(item)
            told += [
                KeyProblem((*key, at, name) if name is not None else (*key, at), text)
                for name, text in problems
            ]
            if endpoint is not None and (problem := self._add(endpoint, f"endpoints[{at}]")) is not None:
                told.append(KeyProblem((*key, at), problem))
        self._tell(key, told, empty=not raw)

    def add_file(self, raw: Any, base: str) -> None:
        """Add those of ``endpoints_file``, one URL a line.

        Args:
            raw: Path of the file.
            base: Folder that a relative path belongs to.
        """
        key = (*self._pool, "endpoints_file")
        try:
            self._add_lines(key, read_file(plain_text(raw), base), name=raw)
        except ValueError as error:
            self.problems.append(KeyProblem(key, str(error)))

    def add_variable(self, raw: Any, environment: Mapping[str, str]) -> None:
        """Add those of the variable that ``endpoints_env`` names, one URL a line."""
        key = (*self._pool, "endpoints_env")
        try:
            self._add_lines(key, read_variable(plain_text(raw), environment), name=f"the variable {raw}")
        except ValueError as error:
            self.problems.append(KeyProblem(key, str(error)))

    def _add_lines(self, key: Key, text: str, *, name: str) -> None:
        told: list[KeyProblem] = []
        empty = True
        for number, line in lines_of(text):
            empty = False
            if len(self.endpoints) > MAX_ENDPOINTS:  # who gathers says so
                break
            where = f"line {number} of {name}"
            endpoint, problems = parse_endpoint(line)
            if endpoint is not None and (problem := self._add(endpoint, where)) is not None:
                problems.append(problem)
            told += [KeyProblem(key, f"{where}: {problem}") for problem in problems]
        self._tell(key, told, empty=empty)

    def _add(self, endpoint: Endpoint, where: str) -> str | None:
        first = self._places.setdefault(endpoint.identity, where)
        if first != where:
            return (
                f"is the same as {first} ({endpoint.identity}); leave one out: endpoints differ in protocol,"
                " host, port or username"
            )
        self.endpoints.append(endpoint)
        return None

    def _tell(self, key: Key, told: list[KeyProblem], *, empty: bool) -> None:
        if empty:
            told = [KeyProblem(key, "holds no endpoints; give one, or leave the key out")]
        self.problems += told[:_MAX_SHOWN]
        if len(told) > _MAX_SHOWN:
            text = f"has {len(told)} problems; {len(told) - _MAX_SHOWN} of them are not shown"
            self.problems.append(KeyProblem(key, text))
