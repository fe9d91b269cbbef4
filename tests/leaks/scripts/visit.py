"""Uses its proxy and its secrets as scripts do, and says of both whatever a script may say unawares."""

import asyncio
import base64
import json
import os
import re
import traceback
from urllib.parse import quote, quote_plus

from quarry import Context

if any(name.startswith(("QUARRY_SECRET_", "LEAKS_")) for name in os.environ):
    raise RuntimeError("this executor can read secrets of its machine that are not its run's")


def words(ctx: Context) -> str:
    """What a careless author quotes."""
    http = ctx.http
    seen = [http, http.proxy, vars(http), getattr(http.proxy, "identity", None), ctx, ctx.run, ctx.emit]
    return " | ".join([*map(repr, seen), *map(str, seen), *(f"{each}" for each in seen)])


def spellings(job: dict) -> str:
    """The job in every form in which it gets into messages."""
    found = [repr(job), json.dumps(job), json.dumps(job, ensure_ascii=False), json.dumps(json.dumps(job))]
    for value in (job.get("token"), job.get("key")):
        if isinstance(value, str):
            data = value.encode()
            found += [value, quote(value), quote(value, safe=""), quote_plus(value), repr(data), ascii(value)]
            found += [re.sub("%..", lambda match: match[0].lower(), quote(value, safe=""))]
            found += [base64.b64encode(b"x" * n + data).decode() for n in range(3)]
            found += [base64.urlsafe_b64encode(b"x" * n + data).decode() for n in range(3)]
            found += [f"https://m4rker:{value}@host/", f"https://host/?m4rker=1&token={quote(value)}"]
    return "\n".join(found)


async def run(ctx: Context) -> None:
    job = ctx.job
    do = job.get("do", "read")
    print("m4rker", words(ctx))
    print("m4rker", spellings(job))
    await ctx.emit.log("info", f"m4rker {job!r}", {"job": job, "deep": [{"token": job.get("token")}]})
    await ctx.emit.warn("m4rker", {"text": words(ctx) + spellings(job)})
    for child in job.get("children", []):
        params = {key: value for key, value in job.items() if key not in {"children", "do", "until"}}
        await ctx.emit.enqueue(child["to"], {**params, "do": child["do"]})
    while "until" in job and not os.path.exists(job["until"]):
        await asyncio.sleep(0.02)
    await globals()[f"do_{do}"](ctx, job)


async def do_nothing(ctx: Context, job: dict) -> None:
    await ctx.emit.item("m4rker", {"note": job["note"]})


async def do_read(ctx: Context, job: dict) -> None:
    page = await ctx.http.get(job["url"], retries=0)
    assert job["token"].startswith("j/"), "the secret is in place"
    await ctx.emit.item("m4rker", {"status": page.status_code, "http": words(ctx), "page": repr(page)})


async def do_rotate(ctx: Context, job: dict) -> None:
    await ctx.emit.rotate_proxy(f"m4rker {ctx.http.proxy!r}")
    await do_read(ctx, job)


async def do_ban(ctx: Context, job: dict) -> None:
    await ctx.emit.rotate_proxy("banned")
    await do_read(ctx, job)


async def do_fail(ctx: Context, job: dict) -> None:
    """The proxy fails, and that is the run's error."""
    await ctx.http.get(job["url"], retries=0)


async def do_tell(ctx: Context, job: dict) -> None:
    """The proxy fails, and all that can be known of the error is told."""
    try:
        await ctx.http.get(job["url"], retries=0)
    except Exception as error:
        told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        await ctx.emit.error(f"m4rker {error!r} {vars(error)} {told}")
        raise RuntimeError(f"m4rker {told} {words(ctx)}") from error


async def do_raise(ctx: Context, job: dict) -> None:
    raise LookupError(f"m4rker {words(ctx)} {spellings(job)}")


async def do_end(ctx: Context, job: dict) -> None:
    await ctx.emit.run_error("m4rker", spellings(job), stack=words(ctx) + spellings(job))


async def do_skip(ctx: Context, job: dict) -> None:
    await ctx.emit.run_error("m4rker", f"{job}")


async def do_misname(ctx: Context, job: dict) -> None:
    """The runtime's refusal quotes the name."""
    await ctx.storage.put(f"m4rker/{job['token']}", b"", "text/plain")


async def do_misemit(ctx: Context, job: dict) -> None:
    await ctx.emit.item("m4rker", {job["token"]: {"x": {1, 2}}})


async def do_die(ctx: Context, job: dict) -> None:
    """The process ends, and its last words go past Python."""
    os.write(2, f"m4rker {words(ctx)}\n{spellings(job)}\n{ctx.http.proxy!r}\n".encode())
    os._exit(9)


async def do_page(ctx: Context, job: dict) -> None:
    page = await ctx.page()
    answer = await page.goto(job["url"])
    await ctx.emit.item("m4rker", {"status": answer.status, "page": repr(page), "seen": await page.content()})


async def do_pagefail(ctx: Context, job: dict) -> None:
    page = await ctx.page()
    try:
        answer = await page.goto(job["url"])
    except Exception as error:
        told = "".join(traceback.TracebackException.from_exception(error).format())
        raise RuntimeError(f"m4rker {error!r} {told}") from error
    raise RuntimeError(f"m4rker {answer and answer.status} {await page.content()}")
