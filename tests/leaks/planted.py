"""What is planted, and where: a secret for each way in which one gets in, and marks that are no secret."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

MARK = "m4rker"
"""Stands in whatever is planted beside a secret and may be seen: names of users, pools, crawls, jobs."""


class Planted(NamedTuple):
    """One secret.

    Attributes:
        core: Stands in no other secret: a half of the secret that is left over is found by it.
        value: All of it.
        username: Of a password.
    """

    core: str
    value: str
    username: str = ""

    def texts(self) -> list[str]:
        """Give what must be found nowhere."""
        pair = [f"{self.username}:{self.value}"] if self.username else []
        return [self.core, self.value, *pair]

    @property
    def user_info(self) -> str:
        """Give it as it stands in a URL."""
        return f"{quote(self.username, safe='')}:{quote(self.value, safe='')}"


MAPPING = Planted("pl4ntAlpha", "m/pl4ntAlpha+@:%2F =é", f"{MARK}-mapping")
URL = Planted("pl4ntBravo", "u/pl4ntBravo@?#:+%", f"{MARK}-url")
VARIABLE = Planted("pl4ntCarol", "v\"pl4ntCarol\\+'</b>", f"{MARK}-variable")
LIST_VARIABLE = Planted("pl4ntDelta", "e/pl4ntDelta+%40:ü", f"{MARK}-env")
LIST_FILE = Planted("pl4ntEagle", "f pl4ntEagle/+@%:&", f"{MARK}-file")
SOCKS = Planted("pl4ntFjord", "s/pl4ntFjord@:%+ ß", f"{MARK}-socks")
TINYPROXY = Planted("pl4ntGecko", "Tiny.pl4ntGecko-7", f"{MARK}-tiny")
WRONG = Planted("pl4ntHotel", "Wrong.pl4ntHotel/+@:", f"{MARK}-wrong")
DEAD = Planted("pl4ntIndex", "Dead/pl4ntIndex+@:%", f"{MARK}-dead")
JOB_VARIABLE = Planted("pl4ntJoker", "j/pl4ntJoker+@:% \"\\'é")
JOB_FILE = Planted(
    "pl4ntKnife", "-----BEGIN KEY-----\nAbpl4ntKnife+/Ab==\ncd/pl4ntKnife+Ef\n-----END KEY-----\n"
)
BROKER = Planted("pl4ntLemon", "Redis-pl4ntLemon.9")

EVERY = {
    "password in a mapping": MAPPING,
    "password in a URL": URL,
    "password from a variable": VARIABLE,
    "password in endpoints_env": LIST_VARIABLE,
    "password in endpoints_file": LIST_FILE,
    "SOCKS5 password": SOCKS,
    "tinyproxy's password": TINYPROXY,
    "wrong password": WRONG,
    "password of a dead proxy": DEAD,
    "job secret from a variable": JOB_VARIABLE,
    "job secret of the file": JOB_FILE,
    "broker's password": BROKER,
}

SECRETS = {name: planted.texts() for name, planted in EVERY.items()}
"""For `forms.find`."""

MARKS = {"the mark": [MARK]}
