"""Which code made this: the commit, and the versions of what it ran on."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

LIBRARIES = (
    "torch torchvision timm numpy pandas scipy scikit-learn scikit-image "
    "plotly papermill jupyter-book"
).split()


def versions() -> dict[str, str]:
    """Name -> version of Python and of the libraries that numbers and figures come from."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def commit(folder: Path) -> str:
    """`commit 1a2b3c4`, with `+changes` where the tree is not as committed, or `no git`."""
    try:
        head = _git(folder, "rev-parse", "--short=7", "HEAD")
        return f"commit {head}{'+changes' if _git(folder, 'status', '--porcelain') else ''}"
    except (OSError, subprocess.CalledProcessError):
        return "no git"


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
