"""A disk that can be filled."""

import os
import subprocess
from pathlib import Path

import pytest

from forked import Ended

BOUND = 2048  # bytes a file may have where no file system can be mounted


class SmallDisk:
    """A disk that can be filled: a file system of its own.

    Where no file system can be mounted, what a command may write into one file is bounded.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.ballast, self.first = folder, folder / "ballast", ""
        folder.mkdir()
        self.mounted = (
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=32m", "small", folder],
                stderr=subprocess.DEVNULL,
            ).returncode
            == 0
        )

    def fill(self, room: int = 0) -> None:
        """Leave no room, or a few bytes of it."""
        if not self.mounted:
            self.first = (
                "import resource; resource.setrlimit("
                f"resource.RLIMIT_FSIZE, ({BOUND}, resource.RLIM_INFINITY))\n"
            )
            return
        with (
            pytest.raises(OSError, match="No space left"),
            self.ballast.open("wb", buffering=0) as file,
        ):
            while file.write(bytes(4096)):
                pass
        os.truncate(self.ballast, self.ballast.stat().st_size - room)

    def free(self) -> None:
        """Make room."""
        self.first = ""
        self.ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Take it away."""
        if self.mounted:
            subprocess.run(["umount", "--lazy", self.folder], check=True)


def is_refused(said: Ended) -> bool:
    """Whether one line says that there is no room."""
    return any(
        words in said.line
        for words in ("No space left on device", "File too large", "32000 requested")
    )
