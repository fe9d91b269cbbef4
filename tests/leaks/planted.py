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


MAPPING = Planted("pl4ntA", "m/pl4ntA+@:%2F =é", f"{MARK}-mapping")
URL = Planted("pl4ntB", "u/pl4ntB@?#:+%", f"{MARK}-url")
VARIABLE = Planted("pl4ntC", "v\"pl4ntC\\+'</b>", f"{MARK}-variable")
LIST_VARIABLE = Planted("pl4ntD", "e/pl4ntD+%40:ü", f"{MARK}-env")
LIST_FILE = Planted("pl4ntE", "f pl4ntE/+@%:&", f"{MARK}-file")
SOCKS = Planted("pl4ntF", "s/pl4ntF@:%+ ß", f"{MARK}-socks")
TINYPROXY = Planted("pl4ntG", "Tiny.pl4ntG-7", f"{MARK}-tiny")
WRONG = Planted("pl4ntH", "Wrong.pl4ntH/+@:", f"{MARK}-wrong")
DEAD = Planted("pl4ntI", "Dead/pl4ntI+@:%", f"{MARK}-dead")
JOB_VARIABLE = Planted("pl4ntJ", "j/pl4ntJ+@:% \"\\'é")
JOB_FILE = Planted("pl4ntK", "-----BEGIN KEY-----\nAbpl4ntK+/Ab==\ncd/pl4ntK+Ef\n-----END KEY-----\n")
BROKER = Planted("pl4ntL", "Redis-pl4ntL.9")

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
