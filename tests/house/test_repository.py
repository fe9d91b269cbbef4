"""What the repository must and must not hold."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Written in two halves each, so that this file does not name them either.
REGISTRY_HOSTS = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "yarn" + "pkg.com",
    "deb." + "debian.org",
    "security." + "debian.org",
    "docker" + ".io",
    "crates" + ".io",
    "proxy.golang" + ".org",
]
LOCK_FILES = {
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "pylock.toml",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "requirements.lock",
}
NOT_OURS = {".git", ".venv", "build", "dist", "quarry-data", "_build", "__pycache__", "node_modules"}


def repository_files() -> list[Path]:
    """Files that git tracks or would add; outside a clone, all that are not made by tools."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listing = [
            "git",
            "-c",
            f"safe.directory={ROOT}",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file() and not NOT_OURS & set(path.relative_to(ROOT).parts)
    ]


def test_no_file_names_a_registry_host():
    """Where packages come from is the business of the machine, not of the repository."""
    named = []
    for file in repository_files():
        text = file.read_bytes().decode(errors="replace").lower()
        named += [f"{file.relative_to(ROOT)}: {host}" for host in REGISTRY_HOSTS if host in text]
    assert named == []


def test_there_is_no_lock_file():
    """Lock files record addresses; bounds in pyproject.toml are tested instead."""
    assert [file for file in repository_files() if file.name in LOCK_FILES] == []


def test_every_dependency_has_a_lower_bound():
    """A bound is a version that was tried."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"].values()
    wanted = [*project["project"]["dependencies"], *(entry for extra in extras for entry in extra)]
    assert [entry for entry in wanted if ">=" not in entry] == []


def test_links_between_pages_lead_somewhere():
    """Every relative link of a Markdown page names a file or folder of the repository."""
    broken = []
    for page in [file for file in repository_files() if file.suffix == ".md"]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if not re.match(r"[a-z]+:", target) and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []
