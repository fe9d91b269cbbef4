"""A worker process that delivers one job once and prints what it would show."""

import asyncio
import json
import os

from quarry.wiring import make_deliverer


async def main() -> None:
    service = make_deliverer(os.environ["DELIVER_URL"], 1)
    try:
        shown = await service.deliver(os.environ["DELIVER_CRAWL"], os.environ["DELIVER_KEY"])
        print(json.dumps(shown))
    finally:
        await service.stop(0)


asyncio.run(main())
