"""Lua scripts: read from files, put together from fragments, called by their hash."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError

from quarry.errors import SchedulerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.resources.abc import Traversable

    from redis.asyncio import Redis

_INCLUDE = re.compile(r"^[ \t]*-- include: (?P<name>[A-Za-z0-9_./-]+)[ \t]*$", re.MULTILINE)


class Script:
    """One script, complete.

    Args:
        name: File name without ``.lua``.
        source: Lua source with its fragments in place.
    """

    __slots__ = ("name", "sha", "source")

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Redis, keys: Sequence[bytes | str], args: Sequence[bytes | str | int]) -> Any:
        """Call the script by its hash; a server that does not know it is given the source.

        Raises:
            RedisError: Whatever redis-py raises; callers map it.
        """
        try:
            return await client.evalsha(self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await client.eval(self.source, len(keys), *keys, *args)


class ScriptFolder:
    """Reads the scripts of one folder, each once.

    ``-- include: lib/name.lua`` on a line of its own is replaced by that fragment, once a script; paths are
    relative to the folder.

    Args:
        root: The folder: of a package (``importlib.resources.files``) or any path.
    """

    def __init__(self, root: Traversable) -> None:
        self._root = root
        self._known: dict[str, Script] = {}

    def get(self, name: str) -> Script:
        """Give a script by its file name without ``.lua``.

        Raises:
            SchedulerError: There is no such script or fragment.
        """
        script = self._known.get(name)
        if script is None:
            script = self._known[name] = Script(name, self._expand(f"{name}.lua", set()))
        return script

    def names(self) -> list[str]:
        """List the scripts of the folder, fragments left out, sorted."""
        return sorted(
            entry.name.removesuffix(".lua") for entry in self._root.iterdir() if entry.name.endswith(".lua")
        )

    def _expand(self, path: str, included: set[str]) -> str:
        included.add(path)

        def put(match: re.Match[str]) -> str:
            name = match["name"]
            wanted = name if name.startswith("lib/") else f"lib/{name}"
            if wanted in included:
                return ""
            return self._expand(wanted, included).rstrip("\n")

        try:
            source = self._root.joinpath(*path.split("/")).read_text(encoding="utf-8")
        except OSError as error:
            raise SchedulerError(f"the Lua file {path} is missing from this installation") from error
        return _INCLUDE.sub(put, source)
