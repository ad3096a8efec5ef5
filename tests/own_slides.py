"""The folder that the page "Your own data" shows, from what stands there, and changes to it."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compendium.data.export import to_anndata
from compendium.storage import CHECKOUT
from space_ranger import picture, section
from space_ranger import write as write_space_ranger

PAGE = (CHECKOUT / "book" / "own_data.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```\{code-block\} \w+\n:caption: (\S+)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
_, SNIPPET = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def write_slides(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the page shows: its own files, and an image.

    There are more spots where the page shows a few.
    """
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    more = [(x, y) for y in range(15, 20) for x in range(10, 17)]
    values = np.random.default_rng(0).poisson(4, (len(more), 5))
    with (
        (root / "my-slides/S1/counts.csv").open("a") as counts,
        (root / "my-slides/S1/spots.csv").open("a") as spots,
    ):
        counts.writelines(
            f"{x}x{y},{','.join(map(str, row))}\n" for (x, y), row in zip(more, values, strict=True)
        )
        spots.writelines(
            f"{x}x{y},{x},{y},{120.5 + 200 * (x - 10)},{160 + 200 * (y - 13)},\n" for x, y in more
        )
    Image.fromarray(picture()).resize((1500, 1500)).save(root / "my-slides/S1/image.tif")
    monkeypatch.chdir(root)
    exec(SNIPPET, {"adata": to_anndata(section(write_space_ranger(root / "other")))})
    Image.fromarray(picture()).save(root / "my-slides/S2/image.png")
    write_space_ranger(root / "my-slides/S3", seed=3)
    return root / "my-slides"


def stating(text: str) -> Callable[[Path], None]:
    """Write another cohort.yaml."""
    return lambda mine: (mine / "cohort.yaml").write_text(text, encoding="utf-8")


def changed(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Replace a text in a file, once."""

    def change(mine: Path) -> None:
        text = (mine / name).read_text(encoding="utf-8")
        assert old in text
        (mine / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def restated(old: str, new: str) -> Callable[[Path], None]:
    """Replace a text in cohort.yaml."""
    return changed("cohort.yaml", old, new)


def gone(name: str) -> Callable[[Path], None]:
    """Remove a file or a folder."""
    return lambda mine: (
        shutil.rmtree(mine / name) if (mine / name).is_dir() else (mine / name).unlink()
    )
