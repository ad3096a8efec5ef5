"""What every test may ask for: the real data, an isolated home, a tiny section."""

import os

os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # as the Makefile does, before torch starts its threads

import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from compendium.data.section import Section

if TYPE_CHECKING:
    from forked import Commands
    from small_disk import SmallDisk

pytest_plugins = ["visits"]
signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # a shell that starts the tests in the background ignores it, and what the tests start would too
SHARED = Path(os.environ.get("COMPENDIUM_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tiers that a folder or a fixture tells, and put the slow files first."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        marks = {
            "cluster": item.path.parent.name == "cluster",
            "browser": "built" in fixtures,
            "real_data": "her2st" in fixtures,
        }
        for name in (name for name, applies in marks.items() if applies):
            item.add_marker(name)
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def call_after_epochs(monkeypatch: pytest.MonkeyPatch, call) -> None:
    """Let every fit of a run call something with the number of each epoch that ends."""
    from compendium.runs.fit import fit

    monkeypatch.setattr("compendium.runs.execution.fit", partial(fit, after_epoch=call))


def skip_or_fail(reason: str) -> None:
    """Skip, saying why; where CI=true a test that cannot run is a failure."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder of the reference arrays that travel with the tests."""
    return Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def her2st() -> Path:
    """Folder with real HER2+ files in the layout of the public repository."""
    if not (folder := SHARED / "data" / "her2st").exists():
        skip_or_fail(
            f"no real HER2+ files in {folder}; "
            "set COMPENDIUM_SHARED to the folder that has data/her2st"
        )
    return folder


@pytest.fixture(scope="session")
def catalogued_folder(tmp_path_factory) -> Path:
    from catalogued_files import write_files

    return write_files(tmp_path_factory.mktemp("catalogued"))


@pytest.fixture
def catalogued(catalogued_folder, monkeypatch) -> Path:
    """Folder of files in their published places, whose checksums the HER2+ catalogue then has."""
    from catalogued_files import catalogue_of
    from compendium.data import sources

    monkeypatch.setitem(sources.published(), "her2st", catalogue_of(catalogued_folder))
    return catalogued_folder


@pytest.fixture(scope="session", autouse=True)
def _nothing_in_the_checkout(tmp_path_factory) -> None:
    """What a test computes lands in a temporary home, whether it asks for one of its own or not."""
    os.environ["COMPENDIUM_HOME"] = str(tmp_path_factory.mktemp("home"))


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty COMPENDIUM_HOME of the test's own."""
    monkeypatch.setenv("COMPENDIUM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def commands(tmp_path_factory) -> Iterator["Commands"]:
    """Starts commands of the package in processes of their own, quickly."""
    from forked import Commands

    with closing(Commands(tmp_path_factory.mktemp("commands"))) as started:
        yield started


@pytest.fixture(scope="session")
def prepared(commands, tmp_path_factory) -> Path:
    """Prepared sections B4 and C2 of made-up raw files, 25 spots each, to be copied into a home."""
    from raw_files import write_raw

    home = tmp_path_factory.mktemp("prepared")
    write_raw(home / "raw" / "her2st")
    assert commands.run("prepare", "her2st", "--tile-px", "32", home=home).status == 0
    return home / "sections"


@pytest.fixture(scope="session")
def page_slides(tmp_path_factory) -> Path:
    """The folder of the page "Your own data", which no test changes."""
    from own_slides import write_slides

    with pytest.MonkeyPatch.context() as monkeypatch:
        return write_slides(tmp_path_factory.mktemp("page"), monkeypatch)


@pytest.fixture
def mine(page_slides, tmp_path) -> Path:
    """A copy of it that a test may damage."""
    return shutil.copytree(page_slides, tmp_path / "my-slides")


@pytest.fixture
def disk(tmp_path) -> Iterator["SmallDisk"]:
    """A disk that can be filled."""
    from small_disk import SmallDisk

    with closing(SmallDisk(tmp_path / "disk")) as small:
        yield small


def restate(folder: Path, **facts) -> None:
    """Let a stored record say something else of itself, undamaged."""
    from compendium.runs import store

    path = folder / "run.json"
    path.write_text(json.dumps(store.checksummed(json.loads(path.read_text()) | facts)))


def tiny_section(
    name: str = "S1",
    patient: str = "P1",
    lab: str = "L1",
    spots: int = 24,
    px: int = 64,
    genes: int = 12,
    seed: int = 0,
    labelled: bool = False,
) -> Section:
    """A section whose first genes follow the redness of its patches.

    So do labels, if asked for: a planted signal that every method can learn.
    """
    rng = np.random.default_rng([seed, sum(map(ord, name))])
    signal = rng.uniform(0, 1, spots)
    patches = rng.integers(0, 60, (spots, px, px, 3), dtype=np.uint8)
    patches[..., 0] += (signal * 190).astype(np.uint8)[:, None, None]
    mean = np.exp(1 + np.outer(signal, np.linspace(2.5, -2.5, genes)))
    side = int(np.ceil(np.sqrt(spots)))
    grid = np.stack(np.divmod(np.arange(spots), side)[::-1], axis=1).astype(np.int32)
    return Section(
        cohort="tiny",
        name=name,
        patient=patient,
        lab=lab,
        technology="test",
        genes=np.array([f"G{i}" for i in range(genes)]),
        spots=np.array([f"{x}x{y}" for x, y in grid]),
        grid=grid,
        pixels=(grid * 80 + 40).astype(np.float32),
        um_per_px=0.7,
        counts=csr_matrix(rng.poisson(mean).astype(np.int32)),
        stored_tiles=patches,
        labels=np.where(signal > 0.5, "red", "pale") if labelled else None,
        digest=f"{name}-{seed}-{spots}-{px}-{genes}",
    )
