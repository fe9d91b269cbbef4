"""Definitions of proxy pools that are wrong: each with its exact message, none with a password in it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.config.pools import PLANTED, read, told

P = "F:3:5: proxies.p"
E0 = "F:4:9: proxies.p.endpoints[0]"
GOOD = "http://u:hunter2@h:1"
NAME = (
    "a pool's name must be 1 to 64 letters, digits and . _ -, begin with a letter or digit, and not be none"
)
POOL_KEYS = "strategy, endpoints, endpoints_file, endpoints_env, sticky, recency_window, health"
ENDPOINT_KEYS = "protocol, host, port, username, password"
URL = "must be a URL such as http://USER:PASSWORD@HOST:PORT"
LISTED = "is host:port:user:password; write it as http://USER:PASSWORD@HOST:PORT"
HOST = "must be a name or an address alone, without protocol, port or path; a name in ASCII (xn--…)"
PAIR = "give both or neither"
DIFFER = "leave one out: endpoints differ in protocol, host, port or username"
SINGLE = "must be a single value, not a list or a mapping"
HEALTH = "failures, window, rest, max_rest, trial, ban"
DURATION = "must be a duration such as 500ms, 30s, 10m or 2h; a bare number is seconds"
QUOTES = "; a value that begins with one of & * ! % @ ` { [ | > or holds '${' within braces needs quotes"


class Bad(NamedTuple):
    """A file, the messages about it, the files beside it, and variables."""

    text: str
    messages: tuple[str, ...]
    files: dict[str, str | bytes] = {}  # noqa: RUF012 - never changed
    env: dict[str, str] = {}  # noqa: RUF012 - never changed


def pool(body: str, *messages: str, files=None, env=None) -> Bad:
    """Make the case of one pool with a good endpoint, whose other keys start in line 3."""
    text = f"proxies:\n  p:\n    {body}\n    endpoints: ['{GOOD}']\n"
    return Bad(text, messages, files or {}, env or {})


def item(body: str, *messages: str, env=None) -> Bad:
    """Make the case of a pool with one endpoint in line 4; what follows it holds the planted password."""
    return Bad(
        f"proxies:\n  p:\n    endpoints:\n      - {body}\n      - {GOOD}\n",
        messages,
        {},
        {"PW": PLANTED, **(env or {})},
    )


def lines(text: str | bytes, *messages: str) -> Bad:
    """Make the case of a pool with a file of endpoints."""
    return Bad("proxies:\n  p:\n    endpoints_file: list.txt\n", messages, {"list.txt": text})


def mapping(body: str) -> str:
    return "{" + body + ", username: u, password: hunter2}"


BAD = {
    # the pools
    "pools are a list": Bad(
        f"proxies: ['{GOOD}']\n",
        ("F:1:1: proxies: must be a mapping of names to pools; 'proxy: NAME' is what chooses one",),
    ),
    "pools are a text": Bad(
        f"proxies: {GOOD}\n",
        ("F:1:1: proxies: must be a mapping of names to pools; 'proxy: NAME' is what chooses one",),
    ),
    "pool is a text": Bad(
        f"proxies:\n  p: {GOOD}\n", (f"F:2:3: proxies.p: must be a mapping of {POOL_KEYS}",)
    ),
    "pool is a list": Bad(
        f"proxies:\n  p: ['{GOOD}']\n", (f"F:2:3: proxies.p: must be a mapping of {POOL_KEYS}",)
    ),
    "pool is nothing": Bad(
        f"proxies:\n  p:\n  # {GOOD}\n", ("F:2:3: proxies.p: has no value; give one, or leave the key out",)
    ),
    "pool stands twice": Bad(
        f"proxies:\n  p: {{endpoints: ['{GOOD}']}}\n  p: {{endpoints: ['{GOOD}']}}\n",
        ("F:3:3: proxies.p: stands twice; it is in line 2 already",),
    ),
    "pool is called none": Bad(
        f"proxies:\n  none: {{endpoints: ['{GOOD}']}}\n", (f"F:2:3: proxies.none: {NAME}",)
    ),
    "pool's name has a blank": Bad(
        f"proxies:\n  a b: {{endpoints: ['{GOOD}']}}\n", (f"F:2:3: proxies.a b: {NAME}",)
    ),
    "pool's name is a URL": Bad(
        f"proxies:\n  {GOOD}: {{endpoints: ['{GOOD}']}}\n", (f"F:2:3: proxies.(not shown): {NAME}",)
    ),
    "unknown key": pool("stratgy: random", f"{P}.stratgy: unknown key; did you mean strategy?"),
    "unknown key like nothing": pool("zzz: 1", f"{P}.zzz: unknown key; known: {POOL_KEYS}"),
    "unknown strategy": pool(
        "strategy: stiky",
        f"{P}.strategy: must be one of round_robin, random, sticky; did you mean sticky?",
    ),
    "strategy is a list": pool("strategy: [random]", f"{P}.strategy: {SINGLE}"),
    "variable that is not set": pool(
        "strategy: ${NOWHERE}",
        "F:3:15: proxies.p.strategy: the variable NOWHERE is not set; set it, or write ${NOWHERE:-default}",
    ),
    # sticky, window
    "sticky is a text": pool("sticky: domain", f"{P}.sticky: must be a mapping of scope, ttl, ttl_ms"),
    "sticky scope": pool(
        "sticky: {scope: host}",
        "F:3:14: proxies.p.sticky.scope: must be one of job, domain, origin",
    ),
    "sticky ttl": pool("sticky: {ttl: soon}", f"F:3:14: proxies.p.sticky.ttl: {DURATION}"),
    "sticky ttl beyond a week": pool(
        "sticky: {ttl: 169h}", "F:3:14: proxies.p.sticky.ttl: must be a duration from 1ms to 168h"
    ),
    "sticky ttl in milliseconds": pool(
        "sticky: {ttl_ms: 5s}", "F:3:14: proxies.p.sticky.ttl_ms: must be a whole number from 1 to 604800000"
    ),
    "sticky ttl twice": pool(
        "sticky: {ttl_ms: 5, ttl: 5s}",
        "F:3:14: proxies.p.sticky.ttl_ms: says what ttl says, in milliseconds; give one of them",
    ),
    "window of 0": pool("recency_window: 0", f"{P}.recency_window: must be a whole number from 1 to 100000"),
    "window below 0": pool(
        "recency_window: -3", f"{P}.recency_window: must be a whole number from 1 to 100000"
    ),
    "window that is no number": pool(
        "recency_window: many", f"{P}.recency_window: must be a whole number from 1 to 100000"
    ),
    # health
    "health is a word": pool("health: good", f"{P}.health: must be on, off, or a mapping of {HEALTH}"),
    "health is a list": pool("health: [off]", f"{P}.health: must be a mapping of {HEALTH}"),
    "health's unknown key": pool(
        "health: {failure: 3}", "F:3:14: proxies.p.health.failure: unknown key; did you mean failures?"
    ),
    "no failures": pool(
        "health: {failures: 0}", "F:3:14: proxies.p.health.failures: must be a whole number from 1 to 1000"
    ),
    "rest of nothing": pool("health: {rest: 0}", "F:3:14: proxies.p.health.rest: must be longer than 0"),
    "rest beyond a day": pool(
        "health: {ban: 25h}", "F:3:14: proxies.p.health.ban: must be a duration from 10ms to 24h"
    ),
    "rest longer than the longest": pool(
        "health: {rest: 1h}",
        "F:3:14: proxies.p.health.rest: rest must not be longer than max_rest (30s and 30m where they are not"
        " given)",
    ),
    # endpoints
    "no endpoints": Bad(
        "proxies:\n  p: {strategy: random}  # hunter2\n",
        (
            (
                "F:2:3: proxies.p: has no endpoints; list them under endpoints, or name endpoints_file or"
                " endpoints_env"
            ),
        ),
    ),
    "empty list": Bad(
        "proxies:\n  p:\n    endpoints: []  # hunter2\n",
        (f"{P}.endpoints: holds no endpoints; give one, or leave the key out",),
    ),
    "endpoints are a text": Bad(
        f"proxies:\n  p:\n    endpoints: {GOOD}\n",
        (f"{P}.endpoints: must be a list: one endpoint a line, each after '- '",),
    ),
    "endpoints are a mapping": Bad(
        f"proxies:\n  p:\n    endpoints: {{'{GOOD}': x}}\n",
        (f"{P}.endpoints: must be a list: one endpoint a line, each after '- '",),
    ),
    "endpoint is a list": item(f"['{GOOD}']", f"{E0}: {URL}, or a mapping of {ENDPOINT_KEYS}"),
    "endpoint is nothing": item(
        "", "F:4:8: proxies.p.endpoints[0]: has no value; give one, or leave the key out"
    ),
    "endpoint in braces": item(
        "{http://x:hunter2@h:2}",
        f"{E0}.protocol: is missing",
        f"{E0}.host: is missing",
        f"{E0}.port: is missing",
        "F:4:10: proxies.p.endpoints[0]: a key in it has no value; give one, or leave the key out",
        f"F:4:10: proxies.p.endpoints[0]: unknown key; known: {ENDPOINT_KEYS}",
    ),
    "endpoint's unknown key": item(
        "{protocol: http, host: h, port: 2, username: u, pasword: hunter2}",
        "F:4:44: proxies.p.endpoints[0].username: needs a password beside it; give both or neither",
        "F:4:57: proxies.p.endpoints[0]: unknown key; did you mean password?",
    ),
    "no port": item(mapping("protocol: http, host: h"), f"{E0}.port: is missing"),
    "no host, no protocol": item(mapping("port: 80"), f"{E0}.protocol: is missing", f"{E0}.host: is missing"),
    "unknown protocol": item(
        mapping("protocol: socks4, host: h, port: 2"),
        "F:4:10: proxies.p.endpoints[0].protocol: must be one of http, https, socks5; did you mean socks5?",
    ),
    "host is a URL": item(
        mapping("protocol: http, host: 'http://h', port: 2"), f"F:4:26: proxies.p.endpoints[0].host: {HOST}"
    ),
    "host is no address": item(
        mapping("protocol: http, host: 10.0.0.256, port: 2"),
        "F:4:26: proxies.p.endpoints[0].host: must be a valid IPv4 or IPv6 address, or a name",
    ),
    "host is not ASCII": item(
        mapping("protocol: http, host: bücher.example, port: 2"),
        f"F:4:26: proxies.p.endpoints[0].host: {HOST}",
    ),
    "port of 0": item(
        mapping("protocol: http, host: h, port: 0"),
        "F:4:35: proxies.p.endpoints[0].port: must be a whole number from 1 to 65535",
    ),
    "port beyond bounds": item(
        mapping("protocol: http, host: h, port: 65536"),
        "F:4:35: proxies.p.endpoints[0].port: must be a whole number from 1 to 65535",
    ),
    "password alone": item(
        "{protocol: http, host: h, port: 2, password: hunter2}",
        f"F:4:44: proxies.p.endpoints[0].password: needs a username beside it; {PAIR}",
    ),
    "username alone": item(
        "{protocol: http, host: h, port: 2, username: u}",
        f"F:4:44: proxies.p.endpoints[0].username: needs a password beside it; {PAIR}",
    ),
    "empty password for SOCKS": item(
        "{protocol: socks5, host: h, port: 2, username: u, password: ''}",
        "F:4:59: proxies.p.endpoints[0].password: must not be empty; a proxy that asks for none has neither"
        " username nor password",
    ),
    "password is a mapping": item(
        "{protocol: http, host: h, port: 2, username: u, password: {hunter2}}",
        f"F:4:67: proxies.p.endpoints[0].password: {SINGLE}",
    ),
    "password is a variable that is not set": item(
        "{protocol: http, host: h, port: 2, username: u, password: $NO, x: '${NOWHERE}'}",
        "F:4:72: proxies.p.endpoints[0]: unknown key; known: protocol, host, port, username, password",
        "F:4:75: proxies.p.endpoints[0]: the variable NOWHERE is not set; set it, or write"
        " ${NOWHERE:-default}",
    ),
    "username with a colon": item(
        "{protocol: http, host: h, port: 2, username: 'u:v', password: hunter2}",
        "F:4:44: proxies.p.endpoints[0].username: must hold no colon: it ends the username in what HTTP sends",
    ),
    "control characters": item(
        '{protocol: http, host: h, port: 2, username: u, password: "hunter2\\r\\nX: y"}',
        "F:4:57: proxies.p.endpoints[0].password: must hold no control characters and no bytes that are not"
        " UTF-8",
    ),
    "password too long for SOCKS": item(
        f"{{protocol: socks5, host: h, port: 2, username: u, password: {PLANTED * 40}}}",
        "F:4:59: proxies.p.endpoints[0].password: must not be longer than 255 bytes with socks5",
    ),
    "URL without protocol": item("u:hunter2@h:2", f"{E0}: {URL}"),
    "as providers list them": item("h:2:u:hunter2", f"{E0}: {LISTED}"),
    "as they list them, as a URL": item("http://[::1]:2:u:hunter2:x", f"{E0}: {LISTED}"),
    "URL with an empty password for SOCKS": item(
        "socks5://hunter2:@h:2",
        f"{E0}: the password must not be empty; a proxy that asks for none has neither username nor password",
    ),
    "URL without port": item(
        "http://u:hunter2@h", f"{E0}: has no port; write it after the host, as in HOST:8080"
    ),
    "URL with a bad port": item(
        "http://u:hunter2@h:99999", f"{E0}: the port must be a whole number from 1 to 65535"
    ),
    "URL of another protocol": item(
        "ftp://u:hunter2@h:2", f"{E0}: the protocol must be one of http, https, socks5"
    ),
    "URL with user alone": item("http://hunter2@h:2", f"{E0}: has a username without a password; {PAIR}"),
    "URL with an empty user": item(
        "http://:hunter2@h:2",
        f"{E0}: the username must not be empty; a proxy that asks for none has neither username nor password",
    ),
    "URL that a slash cuts short": item(
        "http://u:hunter2/x@h:2",
        f"{E0}: user and password must be percent-encoded: / is %2F, ? is %3F, # is %23",
    ),
    "URL with a bare percent": item(
        "http://u:hunter2%@h:2",
        f"{E0}: the password holds a % without two hexadecimal digits after it; % itself is %25",
    ),
    "URL with bytes that are no text": item(
        "http://u:hunter2%ff@h:2", f"{E0}: the password must be UTF-8 where it is percent-encoded"
    ),
    "URL with a path": item(
        "http://u:hunter2@h:2/path?x", f"{E0}: must end after the port: a proxy's URL has no path, ? or #"
    ),
    "URL with a bare IPv6 address": item(
        "http://u:hunter2@::1:2",
        f"{E0}: the host must be a name or an address, an IPv6 address in brackets, as in [2001:db8::1]:8080",
    ),
    "URL in a variable": item("${PW}", f"{E0}: {URL}"),
    "all that is wrong with a URL": item(
        "ftp://hunter2@h_.-:0",
        f"{E0}: the protocol must be one of http, https, socks5",
        f"{E0}: the host {HOST}",
        f"{E0}: the port must be a whole number from 1 to 65535",
        f"{E0}: has a username without a password; {PAIR}",
    ),
    "endpoint twice": item(
        "http://u:other@H:01",
        f"F:5:9: proxies.p.endpoints[1]: is the same as endpoints[0] (http://u@h:1); {DIFFER}",
    ),
    # what YAML itself makes of a password
    "password like an alias": item(
        "{protocol: http, host: h, port: 2, username: u, password: *hunter2}",
        f"--config F:4:67: is not YAML: found undefined alias{QUOTES}",
    ),
    "password like a tag": item(
        "password: !hunter2!x",
        f"--config F:4:19: is not YAML: while parsing a node found undefined tag handle{QUOTES}",
    ),
    "variable in braces": item(
        "{protocol: http, host: hunter2, port: ${PORT}}",
        f"--config F:4:48: is not YAML: while parsing a flow mapping expected ',' or '}}', but got '{{'{QUOTES}",
    ),
    # a file
    "file that is not there": Bad(
        "proxies:\n  p:\n    endpoints_file: u:hunter2@h\n",
        (f"{P}.endpoints_file: can't be read: No such file or directory; a relative path belongs to D",),
    ),
    "file that is a URL": Bad(
        f"proxies:\n  p:\n    endpoints_file: {GOOD}\n",
        (
            (
                f"{P}.endpoints_file: must be the path of a file that holds one URL a line; a URL itself belongs"
                " under endpoints"
            ),
        ),
    ),
    "file that is a folder": Bad(
        "proxies:\n  p:\n    endpoints_file: .  # hunter2\n",
        (f"{P}.endpoints_file: must be a regular file: the command and each worker read it",),
    ),
    "empty file": lines(
        "\n# hunter2\n", f"{P}.endpoints_file: holds no endpoints; give one, or leave the key out"
    ),
    "file that is no text": lines(
        b"http://u:hunter2@h:1\n\xff\n",
        f"{P}.endpoints_file: line 2 of it is not UTF-8; percent-encode user and password",
    ),
    "lines of a file": lines(
        f"# list\r\n{GOOD}\r\n\r\n  {GOOD}  \r\nh:2:u:hunter2\r\n",
        f"{P}.endpoints_file: line 4 of list.txt: is the same as line 2 of list.txt (http://u@h:1); {DIFFER}",
        f"{P}.endpoints_file: line 5 of list.txt: {LISTED}",
    ),
    "file and list have one endpoint": pool(
        "endpoints_file: list.txt",
        f"{P}.endpoints_file: line 1 of list.txt: is the same as endpoints[0] (http://u@h:1); {DIFFER}",
        files={"list.txt": GOOD},
    ),
    # a variable
    "variable that is not there": Bad(
        "proxies:\n  p:\n    endpoints_env: NOWHERE  # hunter2\n",
        (f"{P}.endpoints_env: names a variable that is not set, or is empty",),
    ),
    "variable's value in place of its name": Bad(
        "proxies:\n  p:\n    endpoints_env: ${LIST}\n",
        (f"{P}.endpoints_env: must be the name of a variable, such as SHOP_PROXIES, without $ or braces",),
        {},
        {"LIST": GOOD},
    ),
    "value like a name": Bad(
        "proxies:\n  p:\n    endpoints_env: ${LIST}\n",
        (f"{P}.endpoints_env: names a variable that is not set, or is empty",),
        {},
        {"LIST": PLANTED},
    ),
    "lines of a variable": Bad(
        "proxies:\n  p:\n    endpoints_env: LIST\n",
        (f"{P}.endpoints_env: line 2 of the variable LIST: {URL}",),
        {},
        {"LIST": f"{GOOD}\nhunter2"},
    ),
}


@pytest.mark.clause("PROXY-01", "PROXY-02", "CLI-04", "CLI-07")
@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_wrong_pool_is_told_with_its_place_and_no_password(tmp_path, case):
    """Each case plants a password; neither a message nor a repr shows it, or a URL as it was written."""
    for name, content in case.files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    planted = case.text + repr(case.files) + repr(case.env)
    assert PLANTED in planted
    assert told(tmp_path, read(tmp_path, case.text, case.env).problems) == list(case.messages)


@pytest.mark.clause("PROXY-01", "CLI-04")
def test_problems_of_all_pools_come_at_once(tmp_path):
    """In the order of the file, other keys' among them."""
    text = (
        "depth: many\n"
        "proxies:\n"
        "  a: {strategy: x, recency_window: 0}\n"
        f"  b:\n    endpoints: ['{GOOD}', 'nope']\n    health: {{rest: x}}\n"
        "proxis: 1\n"
    )
    assert told(tmp_path, read(tmp_path, text).problems) == [
        "F:1: depth: must be a whole number from 0 to 1000000",
        (
            "F:3:3: proxies.a: has no endpoints; list them under endpoints, or name endpoints_file or"
            " endpoints_env"
        ),
        "F:3:7: proxies.a.strategy: must be one of round_robin, random, sticky",
        "F:3:20: proxies.a.recency_window: must be a whole number from 1 to 100000",
        f"F:5:41: proxies.b.endpoints[1]: {URL}",
        f"F:6:14: proxies.b.health.rest: {DURATION}",
        "F:7: proxis: unknown key; did you mean proxies?",
    ]
