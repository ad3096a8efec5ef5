"""What becomes of a notebook after it ran: checked, and freed of all that is about the machine."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compendium.book.notebook.show import NOTED, PLOTLY, TABLE
from compendium.book.run.fingerprint import SHOWN
from compendium.errors import BadInput

if TYPE_CHECKING:
    from nbformat import NotebookNode

MINUS_ZERO = re.compile(r"(?<![\w.])[-−](?=0(?:\.0+)?(?!\.?\d|\w))")
"""What rounding leaves of a small negative number."""

KERNEL = ("kernelspec", "language_info")


def clean(notebook: "NotebookNode", facts: dict[str, Any], paths: dict[str, str]) -> "NotebookNode":
    """The notebook as it goes into the book.

    Facts, device and records are in metadata.compendium, parameters out of sight; of each cell's
    metadata only what decides how the page shows it stays (fingerprint.SHOWN); there are no times,
    widgets, progress or paths, and no minus before a zero.

    Parameters
    ----------
    notebook
        The notebook that ran.
    facts
        What made it.
    paths
        Text to replace in outputs and facts (see machine_paths).

    Raises
    ------
    BadInput
        An output is an error, or two have one name.
    """
    facts = _without(paths, facts | noted(notebook))
    for cell in notebook.cells:
        tags = list(cell.metadata.get("tags", []))
        if {"parameters", "injected-parameters"} & set(tags):
            tags.append("remove-cell")
        shown = {key: cell.metadata[key] for key in SHOWN if key in cell.metadata}
        cell.metadata = shown | ({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            kept = (output for output in cell.outputs if output.get("name") != "stderr")
            kept = (output for output in kept if NOTED not in output.get("data", {}))
            cell.outputs = [_without(paths, output) for output in kept]
    kernel = {key: notebook.metadata[key] for key in KERNEL if key in notebook.metadata}
    notebook.metadata = kernel | {"compendium": facts}
    check(notebook)
    return notebook


def _outputs(notebook: "NotebookNode") -> "list[NotebookNode]":
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def noted(notebook: "NotebookNode") -> dict[str, Any]:
    """What a chapter noted: every device that it computed on, and how many records it rests on."""
    data = (output.get("data", {}) for output in _outputs(notebook))
    notes = [each[NOTED] for each in data if NOTED in each]
    devices = dict.fromkeys(note["device"] for note in notes if "device" in note)
    records = [note["records"] for note in notes if "records" in note]
    return {"device": ", ".join(devices)} | ({"records": sum(records)} if records else {})


def facts_of(page: Path) -> dict[str, Any]:
    """What was noted when a chapter's page was made; BadInput where it is missing or damaged."""
    try:
        return dict(json.loads(page.read_text(encoding="utf-8"))["metadata"]["compendium"])
    except FileNotFoundError:
        raise BadInput("it has not been run") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"its page cannot be read ({error.__class__.__name__})") from error


def _without(paths: dict[str, str], value: Any, key: str = "") -> Any:
    """An output in which no text holds one of the paths or a minus before a zero.

    Encoded arrays and images are left alone.
    """
    if isinstance(value, dict):
        return type(value)({name: _without(paths, inner, name) for name, inner in value.items()})
    if isinstance(value, list):
        return [_without(paths, inner, key) for inner in value]
    encoded = key == "bdata" or key.startswith("image/")
    if not isinstance(value, str) or encoded or value.startswith("data:"):
        return value
    for path, instead in paths.items():
        value = value.replace(path, instead)
    return MINUS_ZERO.sub("", value)


def check(notebook: "NotebookNode") -> None:
    """Refuse an error among the outputs, and a name that two figures, tables or numbers share."""
    outputs = _outputs(notebook)
    for output in outputs:
        if output.output_type == "error":
            raise BadInput(f"a cell ended in {output.ename}: {output.evalue}")
    names = Counter(name_of(output) for output in outputs)
    if twice := [name for name, times in names.items() if times > 1 and name is not None]:
        cure = "give each figure, table and number of a chapter its own"
        raise BadInput(f"{len(twice)} names stand twice, first {twice[0]!r}: {cure}")


def name_of(output: "NotebookNode") -> str | None:
    """The name of the figure, table or number that an output holds; None where it holds none."""
    data = output.get("data", {})
    if PLOTLY in data:
        return data[PLOTLY]["layout"].get("meta", {}).get("name", "")
    if TABLE in data:
        return data[TABLE]["name"]
    return output.get("metadata", {}).get("scrapbook", {}).get("name")


def machine_paths(root: Path) -> dict[str, str]:
    """Paths that say where a book was made, longest first, and what stands instead."""
    home = str(Path.home())
    return {f"{root}/": "", str(root): "."} | ({home: "~"} if len(home) > 1 else {})
