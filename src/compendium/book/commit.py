"""Which code made this."""

import subprocess
from pathlib import Path


def commit(folder: Path) -> str:
    """`commit 1a2b3c4`, with `+changes` where the tree is not as committed, or `no git`."""
    try:
        head = _git(folder, "rev-parse", "--short=7", "HEAD")
        return f"commit {head}{'+changes' if _git(folder, 'status', '--porcelain') else ''}"
    except (OSError, subprocess.CalledProcessError):
        return "no git"


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout.strip()
