"""Buttons that lead to the project's public address.

While `compendium_address` in _config.yml is empty there are none.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from sphinx.application import Sphinx

BRANCH = "main"
INNER = {"github.com": "", "gitlab.com": "/-"}
"""Host -> what stands between a project's address and its pages."""

MENU = {"type": "group", "label": "repository", "icon": "fa-solid fa-code-branch"}
BINDER, COLAB = "https://mybinder.org/v2/gh", "https://colab.research.google.com/github"


def links(address: str, source: str, notebook: str) -> list[tuple[str, str, str]]:
    """(text, icon, URL) for a page.

    The repository everywhere; issue and edit where the host is known; launch where it can be.
    Launch buttons open the notebook in notebooks/, which is committed, never the executed copy,
    which is not.

    Parameters
    ----------
    address
        The repository's URL.
    source
        The page's file in the repository, or "".
    notebook
        The chapter's notebook, or "".
    """
    address = address.rstrip("/")
    host, project = urlsplit(address).netloc, urlsplit(address).path.strip("/")
    found = [("Repository", "code-branch", address)]
    if host in INNER:
        pages = address + INNER[host]
        found.append(("Open an issue", "circle-exclamation", f"{pages}/issues/new"))
        if source:
            found.append(("Suggest an edit", "pencil", f"{pages}/edit/{BRANCH}/{source}"))
    if host == "github.com" and notebook:
        lab = quote(f"lab/tree/{notebook}", safe="")
        found.append(("Open in Binder", "rocket", f"{BINDER}/{project}/{BRANCH}?urlpath={lab}"))
        found.append(("Open in Colab", "rocket", f"{COLAB}/{project}/blob/{BRANCH}/{notebook}"))
    return [(text, f"fa-solid fa-{icon}", url) for text, icon, url in found]


def add_buttons(
    app: "Sphinx", pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Put the links of a page into the theme's header as one menu."""
    address = app.config.compendium_address
    if not address or "header_buttons" not in context:
        return
    notebook = f"notebooks/{pagename.rsplit('/', 1)[-1]}.ipynb" if context.get("compendium") else ""
    page = f"book/{pagename}.md" if context.get("page_source_suffix") == ".md" else ""
    buttons = [
        {"type": "link", "label": text.lower().replace(" ", "-")}
        | {"text": text, "icon": icon, "url": url}
        for text, icon, url in links(address, notebook or page, notebook)
    ]
    context["header_buttons"].append(
        MENU | {"tooltip": "Repository and launch", "buttons": buttons}
    )
