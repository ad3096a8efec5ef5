"""Build the site from the pages, strictly: a warning of any kind is an error.

A failed build leaves the site as it was.
"""

import re
import subprocess
import sys
from pathlib import Path

from compendium.errors import BadInput
from compendium.storage import atomic_folder, beside

BUILDER = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"
OPTIONS = "build book --all -W -n --keep-going --path-output"


def render(root: Path) -> Path:
    """Build book/ into _build/html and give the path of its first page.

    The builder's words go to _build/build.log.
    """
    target = root / "_build" / "html"
    target.parent.mkdir(exist_ok=True)
    log = target.parent / "build.log"
    with beside(target.parent / "book") as aside:
        command = [sys.executable, "-c", BUILDER, *OPTIONS.split(), str(aside)]
        one = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = subprocess.run(command, cwd=root, text=True, **one)
        log.write_text(done.stdout.replace(str(aside), str(target.parent)), encoding="utf-8")
        if done.returncode:
            wrong = _first_complaint(done.stdout)
            raise BadInput(f"the book was not built: {wrong} (all of it: {log})")
        with atomic_folder(target) as new:
            new.rmdir()
            (aside / "_build" / "html").rename(new)
    return target / "index.html"


def _first_complaint(log: str) -> str:
    """The first warning and how many there are, or what a crash ended with."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in log.splitlines()]
    warnings = [line for line in lines if "WARNING:" in line or "ERROR:" in line]
    if warnings:
        return f"{len(warnings)} warnings, first {warnings[0]}"
    errors = [line for line in lines if "Error" in line]
    return (errors or lines or ["the builder said nothing"])[-1]
