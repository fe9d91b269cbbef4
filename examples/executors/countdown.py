"""A script for python_executor.py: says its number and enqueues the next one."""


async def run(job, emit):
    n = job["n"]
    emit("item", item_type="number", data={"n": n, "square": n * n})
    if n > 0:
        emit("enqueue", target="countdown.py", params={"n": n - 1})
