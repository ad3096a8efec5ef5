"""Raw HER2+ files for tests: a small made-up cohort folder, and ways to damage it.

Also what is then said, and the real sections, read once a session.
"""

import gzip
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compendium.data.readers import her2st
from compendium.data.section import Section
from compendium.data.sources import cohort
from compendium.errors import BadInput
from compendium.storage import resource

LABELS = cohort("her2st").classes
GENES, PITCH, WIDTH, HEIGHT = 30, 150, 1200, 1050
UNCOUNTED = "30x30"  # in the spot table of every made-up section, not in its counts


def write_raw(root: Path, names: tuple[str, ...] = ("B4", "C2"), side: int = 5) -> Path:
    """Files of catalogued sections in the layout of the public repository.

    Each has side x side spots, 30 panel genes and an image of 1,200 x 1,050 px.

    The spot table is in another order than the counts and has one spot more, as in the published
    tables.
    """
    for seed, name in enumerate(names):
        rng = np.random.default_rng(seed)
        files = {
            kind: raw_path(root, name, kind)
            for kind in ("counts", "spots", "image", "labels")
            if has(name, kind)
        }
        for path in files.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        xy = [(x, y) for y in range(2, 2 + side) for x in range(2, 2 + side)]
        values = rng.poisson(np.geomspace(0.3, 30, GENES), (len(xy), GENES))
        lines = ["\t".join(["", *panel_genes()])] + [
            "\t".join([f"{x}x{y}", *map(str, row)]) for (x, y), row in zip(xy, values, strict=True)
        ]
        files["counts"].write_bytes(
            gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
        )
        files["spots"].write_text(spot_table([*reversed(xy), (30, 30)]))
        field = rng.integers(60, 240, (HEIGHT // 10, WIDTH // 10, 3), dtype=np.uint8)
        Image.fromarray(field).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(
            files["image"], quality=95
        )
        if "labels" in files:
            classes = [LABELS[i % 3] for i in range(len(xy) - 1)]
            rows = [
                f"s{i}\t{x + 0.2}\t{y - 0.3}\t1\t1\t{label}"
                for i, ((x, y), label) in enumerate(zip(xy, classes, strict=False))
            ]
            files["labels"].write_text(
                "\n".join(
                    [
                        "Row.names\tx\ty\tpixel_x\tpixel_y\tlabel",
                        *rows,
                        "s99\tNA\tNA\t5\t5\tundetermined",
                        "",
                    ]
                )
            )
    return root


def spot_table(xy: list[tuple[int, int]]) -> str:
    """A selection table as published: array position, refined position, pixel, selected."""
    rows = [
        f"{x}\t{y}\t{x + 0.04:.3f}\t{y - 0.03:.3f}\t"
        f"{(x - 1) * PITCH + 0.7:.2f}\t{(y - 1) * PITCH + 0.3:.2f}\t1"
        for x, y in xy
    ]
    return "\n".join(["x\ty\tnew_x\tnew_y\tpixel_x\tpixel_y\tselected", *rows, ""])


def write_alignment(root: Path, name: str, moved: float = 0.0, spots: int = 25) -> None:
    """The published alignment of a made-up section: its first spots.

    They lie `moved` px to the right in the annotated section's image; clusters 0, 1, 2, 0, ...
    """
    path, xy = (
        raw_path(root, name, "alignment"),
        [(x, y) for y in range(2, 7) for x in range(2, 7)][:spots],
    )
    rows = [
        f"s{i}\t{name[0]}\t{name}\t{i % 3}\t{x}\t{y}\t1\t1\t"
        f"{(x - 1) * PITCH + 0.7 + moved:.2f}\t{(y - 1) * PITCH + 0.3:.2f}"
        for i, (x, y) in enumerate(xy)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        gzip.compress(
            "\n".join(
                ["\tpatient_id\tids\tlabel\tx\ty\tpixel_x\tpixel_y\twarped_x\twarped_y", *rows, ""]
            ).encode(),
            mtime=0,
        )
    )


@cache
def panel_genes() -> tuple[str, ...]:
    """The 12 markers and 18 genes of hvg_769, all of them among the shared genes of the cohort."""
    shared = set(resource("genes/her2_common_11871.txt").read_text().split())
    words = (
        resource("genes/markers_12.txt").read_text().split()
        + resource("genes/hvg_769.txt").read_text().split()
    )
    return tuple(dict.fromkeys(gene for gene in words if gene in shared))[:GENES]


def raw_path(root: Path, name: str, kind: str) -> Path:
    """Where the catalogue says that a section's counts, spots, image, labels or alignment lie."""
    part = {
        "counts": "ST-cnts",
        "spots": "ST-spotfiles",
        "image": "ST-imgs",
        "labels": "ST-pat",
        "alignment": "ST-cluster",
    }[kind]
    return next(root / path for path in cohort("her2st").section(name).files if f"/{part}/" in path)


def has(name: str, kind: str) -> bool:
    """Whether the catalogue lists such a file for the section."""
    return kind != "labels" or any(
        "/ST-pat/" in path for path in cohort("her2st").section(name).files
    )


def change_lines(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Rewrite a table, gzipped or not, line by line."""
    zipped = path.suffix == ".gz"
    text = gzip.decompress(path.read_bytes()).decode() if zipped else path.read_text()
    text = "".join(f"{line}\n" for line in change(text.splitlines()))
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if zipped else text.encode())


def change_cell(path: Path, line: int, column: int, value: str) -> None:
    """Put another value into one cell of a tab-separated table (the header is line 0)."""

    def change(lines: list[str]) -> list[str]:
        cells = lines[line].split("\t")
        cells[column] = value
        return [*lines[:line], "\t".join(cells), *lines[line + 1 :]]

    change_lines(path, change)


def files_below(folder: Path) -> set[str]:
    """Relative paths of every file under a folder, hidden and left-over ones too.

    Empty where there is no folder.
    """
    return (
        {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        if folder.exists()
        else set()
    )


def refusal(broken: Callable[[], object]) -> str:
    """The one line with which bad input is refused."""
    with pytest.raises(BadInput) as caught:
        broken()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@cache
def real_section(root: Path, name: str) -> Section:
    """A real section with 224 px patches, read once a session and not written."""
    return her2st.read(root, name, 224)


@cache
def counted_spots(root: Path, name: str) -> np.ndarray:
    """Spot ids of a real section in the order of its count rows, without parsing the counts."""
    with gzip.open(raw_path(root, name, "counts"), "rb") as lines:
        next(lines)
        return np.array([line[: line.index(b"\t")].decode() for line in lines])
