"""The runs that a chapter plans, read off its notebook without computing any."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

from compendium.book.notebook.chapter_files import find
from compendium.errors import BadInput
from compendium.evaluation.comparison import Design
from compendium.evaluation.planned import PLANNED_ONLY, Planned


def planned(chapter: str, profile: str, root: Path | None = None) -> Design:
    """Return the design of a chapter.

    The notebook is executed here, with the parameters of the profile, up to the call of
    `compendium.evaluation.comparison.compute`; what it would show until then is left out.

    Parameters
    ----------
    chapter, profile, root
        The chapter, what it is run with, and the folder of the project.

    Raises
    ------
    BadInput
        If the notebook ends without that call, as it does where its sections are not prepared.
    """
    notebook = find(chapter, root)
    namespace: dict[str, Any] = {"__name__": f"planned {notebook.name}"}
    shown = PLANNED_ONLY.set(True)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
                if cell["cell_type"] == "code":
                    exec(compile("".join(cell["source"]), notebook.name, "exec"), namespace)
                if "parameters" in cell["metadata"].get("tags", []):
                    namespace["profile"] = profile
    except Planned as end:
        return end.design
    finally:
        PLANNED_ONLY.reset(shown)
    raise BadInput(
        f"chapter {chapter} computes nothing with profile {profile}; prepare the profile's"
        " sections, and call comparison.compute in its notebook"
    )
