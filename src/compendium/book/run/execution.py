"""Run one notebook with papermill, by the interpreter that runs this line.

Whatever other kernels and environments lie about is left alone.
"""

import logging
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compendium import storage as disk
from compendium.errors import BadInput

if TYPE_CHECKING:
    from nbformat import NotebookNode


SIDE_BY_SIDE = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Chapters run side by side: threads that wait for others must sleep, or two chapters on two cores
take ten times as long."""

START = "-m ipykernel_launcher -f {connection_file} --log-level=CRITICAL"
"""How a kernel is started; one that is shut down is interrupted first, and calls that an error."""
PLAIN = {"kernel_name": "python3", "language": "python", "progress_bar": False}


class ChapterFailed(BadInput):
    """A chapter that did not run to its end; its page, if there was one, is as it was."""


def execute(notebook: Path, name: str, values: dict[str, Any], folder: Path) -> "NotebookNode":
    """The notebook with its outputs; nothing but home()/failed/NOTEBOOK is written, if it fails.

    Parameters
    ----------
    notebook, name
        The notebook and the name of its chapter.
    values
        Its parameters.
    folder
        The folder it works in.

    Raises
    ------
    ChapterFailed
        A cell failed, or the kernel died.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    # it warns of every parameter whose type it cannot read; they have been checked
    logging.getLogger("papermill").setLevel(logging.ERROR)
    settings = PLAIN | {"cwd": folder, "kernel_manager_class": _this_interpreter()}
    with tempfile.TemporaryDirectory(prefix="compendium-") as aside:
        half = Path(aside) / notebook.name
        try:
            return papermill.execute_notebook(
                notebook, half, values, store_widget_state=False, **settings
            )
        except PapermillExecutionError as error:
            reason = f"cell [{error.exec_count}] ended in {error.ename}: {_one_line(error.evalue)}"
        except Exception as error:  # noqa: BLE001 - a dead kernel or full disk fails the chapter
            reason = f"{error.__class__.__name__}: {_one_line(str(error))}"
        kept = _keep(half)
    where = f" (half-run notebook: {kept})" if kept else ""
    raise ChapterFailed(f"chapter {name} failed, {reason}{where}")


def _this_interpreter() -> type:
    """A kernel manager that never looks for a kernel: a user's kernels would change what runs."""
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpec

    shown = {"display_name": "Python 3", "language": "python"}

    class ThisInterpreter(AsyncKernelManager):
        kernel_spec = KernelSpec(argv=[sys.executable, *START.split()], env=SIDE_BY_SIDE, **shown)

    return ThisInterpreter


def _one_line(text: str) -> str:
    return " ".join(text.split())[:400]


def _keep(half: Path) -> Path | None:
    """Keep a half-run notebook for whoever has to find out why."""
    if not half.exists():
        return None
    kept = disk.home() / "failed" / half.name
    try:
        with disk.atomic_file(kept) as aside:
            shutil.copyfile(half, aside)
    except OSError:  # a disk that is full must not hide why the chapter failed
        return None
    return kept
