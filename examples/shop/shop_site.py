"""The example shop: a small web site, the same at every start, and the server that counts its requests.

    python shop_site.py serve [--port 0] [--log FILE]

The server listens on 127.0.0.1 and prints one line of JSON, {"url": "http://127.0.0.1:40123/"}. The catalogue
has PAGES list pages ("/" and "/list/2.html" …), each linking to all others and to its products; every
IMAGE_EVERY-th product has a photograph. "/-/requests" says how often each path was asked for, and is not
counted itself. Needs nothing but Python.
"""

import argparse
import html
import json
import random
import struct
import sys
import threading
import zlib
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PRODUCTS = 300
PAGES = 12
IMAGE_EVERY = 10
PER_PAGE = PRODUCTS // PAGES

ADJECTIVES = ["amber", "brisk", "calm", "dappled", "earnest", "folded", "gentle", "hollow", "jaunty"]
NOUNS = ["basket", "blanket", "chair", "clock", "kettle", "ladder", "lamp", "mug", "scarf", "whistle"]
MATERIALS = ["ash", "beech", "copper", "enamel", "felt", "glass", "linen", "oak", "stoneware", "wool"]


def product(number):
    """What the shop knows of one product; the same at every call."""
    chance = random.Random(number)
    name = f"{chance.choice(ADJECTIVES)} {chance.choice(NOUNS)} & co. no. {number}".capitalize()
    return {
        "id": number,
        "title": name,
        "price_cents": chance.randrange(250, 49_900, 5),
        "sku": f"Q-{number:05d}",
        "material": chance.choice(MATERIALS),
        "in_stock": chance.random() < 0.8,
        "image": f"/img/{number}.png" if number % IMAGE_EVERY == 0 else None,
    }


def site():
    """The whole site: path to (content type, body)."""
    files = {list_path(page): ("text/html; charset=utf-8", list_page(page)) for page in range(1, PAGES + 1)}
    for number in range(1, PRODUCTS + 1):
        facts = product(number)
        files[f"/p/{number}.html"] = ("text/html; charset=utf-8", detail_page(facts))
        if facts["image"]:
            files[facts["image"]] = ("image/png", photograph(number))
    return files


def list_path(page):
    return "/" if page == 1 else f"/list/{page}.html"


def list_page(page):
    first = (page - 1) * PER_PAGE + 1
    rows = []
    for number in range(first, first + PER_PAGE):
        title = html.escape(product(number)["title"])
        rows.append(f'<li><a class="product" href="/p/{number}.html">{title}</a></li>')
    others = [other for other in range(1, PAGES + 1) if other != page]
    pager = " ".join(f'<a class="page" href="{list_path(other)}">{other}</a>' for other in others)
    return document(f"Catalogue, page {page}", f"<ul>{''.join(rows)}</ul><nav>{pager}</nav>")


def detail_page(facts):
    stock = "in stock" if facts["in_stock"] else "sold out"
    image = f'<img class="photo" src="{facts["image"]}" alt="">' if facts["image"] else ""
    neighbour = facts["id"] % PRODUCTS + 1
    return document(
        html.escape(facts["title"]),
        f'<main data-id="{facts["id"]}"><span class="price">&euro; {facts["price_cents"] / 100:,.2f}</span>'
        f'<span class="sku">{facts["sku"]}</span><span class="material">{facts["material"]}</span>'
        f'<span class="stock">{stock}</span>{image}'
        f'<p>See also <a class="related" href="/p/{neighbour}.html">another one</a>.</p></main>',
    )


def document(title, body):
    page = f"<title>{title}</title></head><body><h1>{title}</h1>{body}</body></html>"
    return f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">{page}'.encode()


def photograph(number, size=48):
    """A PNG of size x size pixels in a pattern of the product's own."""
    chance = random.Random(f"photo {number}")
    palette = [bytes(chance.randrange(256) for _ in range(3)) for _ in range(4)]
    rows = [b"\0" + b"".join(chance.choice(palette) for _ in range(size)) for _ in range(size)]

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


class ShopServer(ThreadingHTTPServer):
    """Serves the site and remembers every request."""

    request_queue_size = 128

    def __init__(self, port, log=None):
        super().__init__(("127.0.0.1", port), ShopHandler)
        self.files = site()
        self.requests = Counter()
        self.log = log
        self.lock = threading.Lock()

    def count(self, path, status):
        with self.lock:
            self.requests[path] += 1
            if self.log:
                print(status, path, file=self.log, flush=True)


class ShopHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave in one packet

    def do_GET(self):
        if self.path == "/-/requests":
            self.answer(200, "application/json", json.dumps(self.server.requests).encode())
            return
        kind, body = self.server.files.get(self.path, (None, None))
        self.server.count(self.path, 200 if kind else 404)
        if kind:
            self.answer(200, kind, body)
        else:
            self.answer(404, "text/html; charset=utf-8", document("Not found", ""))

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing on stderr: the count is the log."""


def main():
    parser = argparse.ArgumentParser(description="Serve the example shop on 127.0.0.1.")
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--log", type=argparse.FileType("a"), help="one line a request: status and path")
    arguments = parser.parse_args()
    server = ShopServer(arguments.port, arguments.log)
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}/"}), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
