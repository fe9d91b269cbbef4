"""Walk a web site over its files, with nothing but the standard library's HTML parser.

This is the other side of the comparison in `test_real_site`: it imports nothing of Quarry and nothing of the
example, knows no URLs but only paths below a folder, and so shares no code with what it checks. The words that
both sides implement:

- A *link* is the `href` of an `<a>` start tag, white space around it removed. It counts where it leads to an
  http or https address; mailto and the like do not count.
- A link without a scheme leads to a path: relative to the folder of its page's file, `..` and `.` resolved, or
  from the root where it starts with `/`. An empty one leads to its own page. Fragments are no part of where a link leads.
- A link with a scheme leads off this site; it is kept as text: fragment removed, scheme and host in lower case,
  `/` for an empty path, characters that may not stand in an address as UTF-8 percent escapes, escapes that are
  there already as written.
- A *page* is a path, reached by links from the start, that names a file ending in `.html`. A path that names
  another file is a *file*; a path that names none is *broken*.
- Both sides name a page by its path alone, percent escapes and all; the documentation has no query strings on
  links within the site, and no links to folders (the walk raises where it meets one: the words above
  would not do then).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):(.*)", re.DOTALL)
_WEB = re.compile(r"//([^/?#]*)([^?#]*)(\?[^#]*)?")
_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/:?@!$&'()*+,;=%")


@dataclass
class Walk:
    """What was found.

    Attributes:
        pages: Title by path of the page, ``/library/os.html``.
        files: Paths of other files that links lead to.
        broken: Paths that links lead to and that do not exist.
        links: (path of the page, path or foreign address), each pair once.
    """

    pages: dict[str, str] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    links: set[tuple[str, str]] = field(default_factory=set)


def walk(root: Path, start: str) -> Walk:
    """Follow every link from a page.

    Args:
        root: Folder of the site.
        start: Path of the first page, ``/index.html``.
    """
    found = Walk()
    waiting, seen = [start], {start}
    while waiting:
        path = waiting.pop()
        file = root / path.removeprefix("/")
        if file.is_dir():
            raise ValueError(f"a link to the folder {path}")
        if not file.is_file():
            found.broken.add(path)
        elif file.suffix != ".html":
            found.files.add(path)
        else:
            page = _Page()
            page.feed(file.read_text(encoding="utf-8"))
            found.pages[path] = " ".join("".join(page.title).split())
            for target in {target for href in page.hrefs if (target := _target(path, href))}:
                found.links.add((path, target))
                if target.startswith("/") and target not in seen:
                    seen.add(target)
                    waiting.append(target)
    return found


class _Page(HTMLParser):
    """Collects hrefs of anchors, and the text of the first title."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.hrefs: list[str] = []
        self.title: list[str] = []
        self._titles = 0
        self._in_title = False

    def handle_starttag(self, tag, attrs) -> None:
        if tag == "a":
            self.hrefs += [value or "" for name, value in attrs if name == "href"][:1]
        if tag == "title":
            self._titles += 1
            self._in_title = self._titles == 1

    def handle_endtag(self, tag) -> None:
        self._in_title = self._in_title and tag != "title"

    def handle_data(self, data) -> None:
        if self._in_title:
            self.title.append(data)


def _target(page: str, href: str) -> str | None:
    href = href.strip().partition("#")[0]
    if scheme := _SCHEME.match(href):
        return _foreign(scheme[1].lower(), scheme[2])
    if "?" in href or href.startswith("//"):
        raise ValueError(f"{page}: a link that the words above do not cover: {href}")
    if not href:
        return page
    steps = [] if href.startswith("/") else page.split("/")[1:-1]
    for step in href.removeprefix("/").split("/"):
        if step == "..":
            steps = steps[:-1]
        elif step != ".":
            steps.append(step)
    return _escaped("/" + "/".join(steps))


def _foreign(scheme: str, rest: str) -> str | None:
    parts = _WEB.match(rest)
    if scheme not in {"http", "https"} or not parts:
        return None
    host = parts[1].lower().removesuffix({"http": ":80", "https": ":443"}[scheme])
    query = parts[3] if parts[3] != "?" else ""
    return f"{scheme}://{host}{_escaped(parts[2] or '/')}{_escaped(query or '')}"


def _escaped(text: str) -> str:
    return "".join(
        letter if letter in _ALLOWED else "".join(f"%{byte:02X}" for byte in letter.encode())
        for letter in text
    )
