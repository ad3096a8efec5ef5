"""Buttons that lead to the project's public address. While `compendium_address` in _config.yml is empty there are none."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from sphinx.application import Sphinx

BRANCH = "main"


def links(address: str, source: str, notebook: str) -> list[tuple[str, str, str]]:
    """(text, icon, URL) for a page: the repository everywhere; issue and edit where the host is known; launch where it can be.

    address: the repository's URL. source: the page's file in the repository, or "". notebook: the chapter's notebook, or "". Launch
    buttons open the notebook in notebooks/, which is committed, never the executed copy, which is not.
    """
    address = address.rstrip("/")
    host = urlsplit(address).netloc
    inner = {"github.com": "", "gitlab.com": "/-"}.get(host)
    found = [("Repository", "fa-solid fa-code-branch", address)]
    if inner is None:
        return found
    found.append(
        ("Open an issue", "fa-solid fa-circle-exclamation", f"{address}{inner}/issues/new")
    )
    if source:
        found.append(
            ("Suggest an edit", "fa-solid fa-pencil", f"{address}{inner}/edit/{BRANCH}/{source}")
        )
    if notebook and host == "github.com":
        project = urlsplit(address).path.strip("/")
        found.append(
            (
                "Open in Binder",
                "fa-solid fa-rocket",
                f"https://mybinder.org/v2/gh/{project}/{BRANCH}?urlpath={quote(f'lab/tree/{notebook}', safe='')}",
            )
        )
        found.append(
            (
                "Open in Colab",
                "fa-solid fa-rocket",
                f"https://colab.research.google.com/github/{project}/blob/{BRANCH}/{notebook}",
            )
        )
    return found


def add_buttons(
    app: "Sphinx", pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Put the links of a page into the theme's header as one menu."""
    address = app.config.compendium_address
    if not address or "header_buttons" not in context:
        return
    notebook = f"notebooks/{pagename.rsplit('/', 1)[-1]}.ipynb" if context.get("compendium") else ""
    source = notebook or (
        f"book/{pagename}.md" if context.get("page_source_suffix") == ".md" else ""
    )
    buttons = [
        {
            "type": "link",
            "text": text,
            "icon": icon,
            "url": url,
            "label": text.lower().replace(" ", "-"),
        }
        for text, icon, url in links(address, source, notebook)
    ]
    context["header_buttons"].append(
        {
            "type": "group",
            "tooltip": "Repository and launch",
            "icon": "fa-solid fa-code-branch",
            "label": "repository",
            "buttons": buttons,
        }
    )
