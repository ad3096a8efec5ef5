"""What becomes of a notebook after it ran: checked for what a page must not hold, and freed of all that is only about the machine."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compendium.book.notebook.show import DEVICE, PLOTLY, RECORDS, TABLE
from compendium.book.run.fingerprint import SHOWN
from compendium.errors import BadInput

if TYPE_CHECKING:
    from nbformat import NotebookNode


MINUS_ZERO = re.compile(
    r"(?<![\w.])[-−](?=0(?:\.0+)?(?!\.?\d|\w))"
)  # what rounding leaves of a small negative number


def clean(notebook: "NotebookNode", facts: dict[str, Any], paths: dict[str, str]) -> "NotebookNode":
    """The notebook as it goes into the book: `facts`, device and records in metadata.compendium, parameters out of sight, of each cell's
    metadata only what decides how the page shows it (fingerprint.SHOWN), no times, widgets, progress or paths, no minus before a zero.

    paths: text to replace in outputs and facts (see machine_paths).
    """
    facts = _without(paths, facts | {"device": device(notebook)} | records(notebook))
    for cell in notebook.cells:
        tags = list(cell.metadata.get("tags", []))
        if {"parameters", "injected-parameters"} & set(tags):
            tags.append("remove-cell")
        shown = {key: cell.metadata[key] for key in SHOWN if key in cell.metadata}
        cell.metadata = shown | ({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs = [
                _without(paths, output)
                for output in cell.outputs
                if output.get("name") != "stderr"
                and not {DEVICE, RECORDS} & set(output.get("data", {}))
            ]
    notebook.metadata = {
        key: notebook.metadata[key]
        for key in ("kernelspec", "language_info")
        if key in notebook.metadata
    } | {"compendium": facts}
    check(notebook)
    return notebook


def device(notebook: "NotebookNode") -> str:
    """Every device that the chapter said it computed on (page.made_from), or "" if it named none."""
    published = [
        output["data"][DEVICE]["device"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if DEVICE in output.get("data", {})
    ]
    return ", ".join(dict.fromkeys(published))


def records(notebook: "NotebookNode") -> dict[str, int]:
    """How many stored fits the chapter said it rests on (page.results); {} if it named none."""
    published = [
        output["data"][RECORDS]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if RECORDS in output.get("data", {})
    ]
    return (
        {word: sum(count[word] for count in published) for word in published[0]}
        if published
        else {}
    )


def facts_of(page: Path) -> dict[str, Any]:
    """What was noted when a chapter's page was made; a page that is not there or not whole is a BadInput that says so."""
    try:
        return dict(json.loads(page.read_text(encoding="utf-8"))["metadata"]["compendium"])
    except FileNotFoundError:
        raise BadInput("it has not been run") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"its page cannot be read ({error.__class__.__name__})") from error


def _without(paths: dict[str, str], value: Any, key: str = "") -> Any:
    """An output in which no text holds one of the paths or a minus before a zero; encoded arrays and images are left alone."""
    if isinstance(value, dict):
        return type(value)({name: _without(paths, inner, name) for name, inner in value.items()})
    if isinstance(value, list):
        return [_without(paths, inner, key) for inner in value]
    if (
        isinstance(value, str)
        and key != "bdata"
        and not key.startswith("image/")
        and not value.startswith("data:")
    ):
        for path, instead in paths.items():
            value = value.replace(path, instead)
        return MINUS_ZERO.sub("", value)
    return value


def check(notebook: "NotebookNode") -> None:
    """Refuse an error among the outputs, and a name that two figures, tables or numbers share."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    for output in outputs:
        if output.output_type == "error":
            raise BadInput(f"a cell ended in {output.ename}: {output.evalue}")
    names = Counter(name for output in outputs for name in names_of(output))
    twice = [name for name, times in names.items() if times > 1]
    if twice:
        raise BadInput(
            f"{len(twice)} names stand twice, first {twice[0]!r}: give each figure, table and number of a chapter its own"
        )


def names_of(output: "NotebookNode") -> list[str]:
    """The name of the figure, table or number that an output holds."""
    data = output.get("data", {})
    if PLOTLY in data:
        return [data[PLOTLY]["layout"].get("meta", {}).get("name", "")]
    if TABLE in data:
        return [data[TABLE]["name"]]
    return (
        [output["metadata"]["scrapbook"]["name"]]
        if "scrapbook" in output.get("metadata", {})
        else []
    )


def machine_paths(root: Path) -> dict[str, str]:
    """Paths that say where a book was made, longest first, and what stands instead."""
    home = str(Path.home())
    return {f"{root}/": "", str(root): "."} | ({home: "~"} if len(home) > 1 else {})
