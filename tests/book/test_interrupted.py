"""A chapter or a build that is interrupted or killed changes nothing.

The page and the site stay as they were, and no process is left behind.
"""

import json
import signal
from pathlib import Path

import pytest

from forked import until
from raw_files import files_below
from small_disk import is_refused
from tiny_book import FIGURE, make_root

pytestmark = pytest.mark.slow

WAIT = """
import os, pathlib, time
while pathlib.Path("wait").exists():
    pathlib.Path("started").write_text(str(os.getpid()))
    time.sleep(0.02)
"""
# The tiny chapter needs no sections.
NOTHING_TO_MAKE = (
    "import compendium.data.prepare as prepare; prepare.generate = lambda *given: None"
)
# In place of the real builder, which test_sphinx.py tries: it writes half a site, waits, and
# writes the rest.
BUILDER = '''
import compendium.book.site.render as render
render.BUILDER = """
import os, pathlib, sys, time
html = pathlib.Path(sys.argv[-1 - sys.argv[::-1].index("--path-output") + 1]) / "_build" / "html"
html.mkdir(parents=True)
(html / "index.html").write_text("half of")
while pathlib.Path("wait").exists():
    pathlib.Path("started").write_text(str(os.getpid()))
    time.sleep(0.02)
(html / "index.html").write_text("the new site")
"""
'''


@pytest.fixture
def root(tmp_path) -> Path:
    """A checkout whose one chapter lasts until a file is gone, with a page and a site of before."""
    root = make_root(tmp_path / "checkout", FIGURE, WAIT)
    for path, text in (
        ("book/chapters/01_tiny.ipynb", "the old page"),
        ("_build/html/index.html", "the old site"),
        ("_build/html/old.html", ""),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def interrupt(
    commands, what: signal.Signals, *command: str, root: Path, home: Path, first: str = ""
):
    """Start a command, signal it once it is half done, and wait until what it started has ended."""
    (root / "wait").touch()
    (root / "started").unlink(missing_ok=True)
    ended = (
        commands.start(*command, home=home, cwd=root, first=first)
        .until(lambda: process(root))
        .kill(what)
    )
    if what == signal.SIGINT:
        assert (ended.status, ended.err.splitlines()[-1]) == (
            130,
            "compendium: interrupted; what was finished is kept, run the same command to continue",
        )
    last = process(root)
    (root / "wait").unlink()
    return last


def process(root: Path) -> int:
    """The process that is half done, 0 before it is."""
    started = root / "started"
    return int((started.read_text() if started.exists() else "") or 0)


def is_gone(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("command", [("chapter", "tiny"), ("book",)])
def test_an_interrupted_chapter_leaves_the_page(command, commands, root, home):
    page = root / "book" / "chapters" / "01_tiny.ipynb"
    for what in (signal.SIGINT, signal.SIGKILL):
        kernel = interrupt(
            commands, what, *command, root=root, home=home, first=NOTHING_TO_MAKE + BUILDER
        )
        until(lambda kernel=kernel: is_gone(kernel))
        assert (page.read_text(), list(page.parent.iterdir())) == ("the old page", [page])
        assert files_below(root / "_build") == {"html/index.html", "html/old.html"}
    assert commands.run(*command, home=home, cwd=root, first=NOTHING_TO_MAKE + BUILDER).status == 0
    assert json.loads(page.read_text())["metadata"]["compendium"]["chapter"] == "tiny"
    assert list(page.parent.iterdir()) == [page]


def test_an_interrupted_build_leaves_the_site(commands, root, home):
    build = ("book", "--no-run")
    for what in (signal.SIGINT, signal.SIGKILL):
        interrupt(commands, what, *build, root=root, home=home, first=BUILDER)
        assert {
            name: (root / "_build" / "html" / name).read_text()
            for name in files_below(root / "_build" / "html")
        } == {"index.html": "the old site", "old.html": ""}
    assert commands.run(*build, home=home, cwd=root, first=BUILDER).status == 0
    assert (root / "_build" / "html" / "index.html").read_text() == "the new site"
    assert files_below(root / "_build") == {"html/index.html", "build.log"}


def test_a_chapter_on_a_full_disk_leaves_the_page(commands, disk, tmp_path):
    root, home = make_root(disk.folder / "checkout", FIGURE), disk.folder / "home"
    page = root / "book" / "chapters" / "01_tiny.ipynb"
    chapter = ("chapter", "tiny", "-p", "spots=2000")
    page.parent.mkdir(parents=True)
    page.write_text("the old page")
    disk.fill()
    assert is_refused(commands.run(*chapter, home=home, first=disk.first, cwd=root))
    assert (page.read_text(), list(page.parent.iterdir())) == ("the old page", [page])
    disk.free()
    assert commands.run(*chapter, home=home, cwd=root).status == 0
    assert json.loads(page.read_text())["metadata"]["compendium"]["parameters"]["spots"] == 2000
    assert list(page.parent.iterdir()) == [page]
