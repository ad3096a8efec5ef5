"""The built book, and a browser on one of its pages, which lets nothing in from elsewhere.

The book is in _build/html, or in the folder that COMPENDIUM_HTML names.
"""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from compendium.storage import CHECKOUT
from conftest import skip_or_fail

HTML = Path(os.environ.get("COMPENDIUM_HTML", CHECKOUT / "_build" / "html"))
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pages() -> list[str]:
    """Every page of the book, as a path in the site."""
    own = sorted(
        path.relative_to(HTML).as_posix()
        for path in HTML.rglob("*.html")
        if "_static" not in path.parts
    )
    return [page for page in own if page not in ("genindex.html", "search.html", "index.html")]


class Visit:
    """A fresh browser on one page: what it asked for, what it complained about."""

    def __init__(
        self, browser, address: str, page: str, theme: str = "light", width: int = 1280
    ) -> None:
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.loaded: dict[str, int] = {}
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme
        )
        self.tab = self.context.new_page()
        self.tab.route(
            "**/*",
            lambda route: (
                route.continue_() if self._inside(route.request.url, address) else route.abort()
            ),
        )
        self.tab.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on(
            "response",
            lambda answer: self.loaded.setdefault(urlsplit(answer.url).path, answer.status),
        )
        self.tab.goto(address + page, wait_until="load")

    def _inside(self, url: str, address: str) -> bool:
        if not url.startswith((address, "data:", "blob:")):
            self.outside.append(url)
        return url.startswith((address, "data:", "blob:"))

    def draw(self, theme: str = "light"):
        """Scroll to every figure and wait until it is drawn in the colours of the theme."""
        plots = self.tab.locator(".compendium-plot")
        for i in range(plots.count()):
            plots.nth(i).scroll_into_view_if_needed()
            self.tab.wait_for_function(
                "([i, theme]) => "
                "document.querySelectorAll('.compendium-plot')[i].dataset.drawn === theme",
                arg=[i, theme],
                timeout=30_000,
            )
        return plots

    def colours(self) -> list[str]:
        """The colour of the first text of each figure."""
        return self.tab.eval_on_selector_all(
            ".compendium-plot",
            "all => all.map(plot => getComputedStyle(plot.querySelector('svg text')).fill)",
        )

    def close(self) -> None:
        self.context.close()


@pytest.fixture(scope="session")
def built() -> None:
    if not (HTML / "index.html").exists():
        skip_or_fail(f"no built book in {HTML}: run make book")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves the book and says nothing."""

    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def address(built):
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(HTML))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def chromium(address):
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        skip_or_fail("no playwright: pip install -e .[test]")
    path = (
        os.environ.get("COMPENDIUM_CHROMIUM")
        or shutil.which("chromium")
        or shutil.which("google-chrome")
    )
    if not path:
        skip_or_fail(
            "no chromium: install Debian's package chromium, "
            "or name a browser in COMPENDIUM_CHROMIUM"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, address):
    visits: list[Visit] = []

    def go(page: str, **how) -> Visit:
        visits.append(Visit(chromium, address, page, **how))
        return visits[-1]

    yield go
    for each in visits:
        each.close()
