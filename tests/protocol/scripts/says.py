"""Does what its job says, by Quarry's own executor (`tests/protocol/light_executor.py` does the same without it)."""

import contextlib

from quarry import Context, StoragePutError


async def run(ctx: Context) -> None:
    for verb, *args in ctx.job["do"]:
        if verb == "item":
            await ctx.emit.item("page", {"name": args[0]})
        elif verb == "enqueue":
            await ctx.emit.enqueue("says.py", {"name": args[0], "do": args[1]})
        elif verb == "put":
            await ctx.storage.put(args[0], args[1].encode(), "text/plain")
        elif verb == "artifact":
            await ctx.emit.artifact(args[0], args[1].encode() * 1000, "text/plain")
        elif verb == "fail_below" and ctx.run.attempt < args[0]:
            raise RuntimeError("it fails now, and not the next time")
        # A put that is refused stores nothing, and its answer says that what came before it was dealt with.
        with contextlib.suppress(StoragePutError):
            await ctx.storage.put("/", b"", "text/plain")
