"""Root: enqueues jobs that are the same in other clothes, and some that only look alike."""

import json

from quarry import Context

SAME = [
    [
        '{"a": 1, "b": [1, 2]}',
        '{"b": [1, 2], "a": 1}',
        '{"a": 1.0, "b": [1, 2]}',
        '{"a": 1e0, "b": [1.0, 2.0]}',
    ],
    ['{"s": "caf\\u00e9/\\u20ac"}', '{"s": "café/€"}', '{"s": "caf\\u00e9\\/€"}'],
    ['{"z": -0.0}', '{"z": 0}', '{"z": 0.0}'],
    ['{"n": 9007199254740993}'],
    ['{"n": 9007199254740992}'],
    ['{"n": -9007199254740993}'],
    ['{"n": "9007199254740993"}'],
    ['{"s": "1"}'],
    ['{"s": 1}'],
    ['{"s": true}'],
    ['{"s": null}'],
    ["{}"],
]


async def run(ctx: Context) -> None:
    if "root" in ctx.job:
        for group in SAME:
            for text in group:
                await ctx.emit.enqueue("twins.py", json.loads(text))
    else:
        await ctx.emit.item("job", {"text": json.dumps(ctx.job, sort_keys=True)})
