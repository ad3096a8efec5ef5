"""A browser on a page of the built book, which lets nothing in from elsewhere."""

from urllib.parse import urlsplit


class Visit:
    """A fresh browser on one page: what it asked for, what it complained about."""

    def __init__(self, browser, address: str, page: str, theme: str = "light", width: int = 1280) -> None:
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.loaded: dict[str, int] = {}
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        self.tab = self.context.new_page()
        self.tab.route("**/*", lambda route: route.continue_() if self._inside(route.request.url, address) else route.abort())
        self.tab.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("response", lambda answer: self.loaded.setdefault(urlsplit(answer.url).path, answer.status))
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
            self.tab.wait_for_function("([i, theme]) => document.querySelectorAll('.compendium-plot')[i].dataset.drawn === theme", arg=[i, theme], timeout=30_000)
        return plots

    def colours(self) -> list[str]:
        """The colour of the first text of each figure."""
        return self.tab.eval_on_selector_all(".compendium-plot", "all => all.map(plot => getComputedStyle(plot.querySelector('svg text')).fill)")

    def close(self) -> None:
        self.context.close()
