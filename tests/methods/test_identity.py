"""What a run, its features and its stain maps are called.

It follows from their parameters, their data and integer versions, never from the text of the code.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import compendium
from compendium import versions
from compendium.book.notebook.profiles import load
from compendium.book.run.fingerprint import fingerprint
from compendium.images.features import Encoding, cache_path
from compendium.images.stain.store import restained
from tiny_fits import SECTIONS, smoke

PACKAGE = Path(compendium.__file__).parent
ROOT = PACKAGE.parents[1]
IDENTITIES = """
from tiny_fits import SECTIONS, smoke
from compendium.book.notebook import profiles
from compendium.book.run import fingerprint
from compendium.images.features import Encoding, cache_path
from compendium.methods import names
from compendium.runs.fit import _maker
from pathlib import Path
notebook = Path("notebooks/01_data_review.ipynb")
called = [smoke(name).identity(SECTIONS) for name in names()]
print(called, cache_path(SECTIONS[0], Encoding("colour", 32)), _maker("cpu"))
print(fingerprint.fingerprint(notebook, profiles.load("demo"), {}, Path.cwd()))
"""


def identities(source: Path) -> str:
    """What a process that imports `source` calls runs, features, checkpoints and a chapter."""
    paths = f"{source}:{ROOT / 'tests'}:{ROOT / 'tests' / 'methods'}"
    environment = {
        "PYTHONPATH": paths,
        "COMPENDIUM_HOME": str(ROOT / "nowhere"),
        "PATH": "/usr/bin",
    }
    return subprocess.run(
        [sys.executable, "-c", IDENTITIES],
        env=environment,
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.slow
def test_a_mended_typo_and_a_renamed_file_change_no_identity(tmp_path):
    copy = shutil.copytree(
        PACKAGE, tmp_path / "compendium", ignore=shutil.ignore_patterns("__pycache__")
    )
    made_here = ("runs", "sections", "raw", "tables", "features", "scores", "stained")
    shutil.copytree(
        ROOT / "data",
        tmp_path / "compendium" / "resources",
        ignore=lambda folder, _: made_here if folder == str(ROOT / "data") else (),
    )
    for file in copy.rglob("*.py"):
        file.write_text(file.read_text() + "# a remark\n")
    (copy / "methods" / "stnet.py").rename(copy / "methods" / "spatial_net.py")
    register = copy / "methods" / "__init__.py"
    register.write_text(register.read_text().replace("stnet", "spatial_net"))
    assert identities(tmp_path) == identities(PACKAGE.parent)


@pytest.mark.parametrize("stage", ["FEATURES", "INPUTS", "FIT"])
def test_a_raised_version_makes_new_records(stage, monkeypatch):
    before = smoke("ridge").identity(SECTIONS)
    monkeypatch.setattr(versions, stage, 2)
    assert smoke("ridge").identity(SECTIONS) != before


def test_a_stage_that_a_run_does_not_pass_through_leaves_it_alone(monkeypatch):
    before = smoke("ridge").identity(SECTIONS)
    for stage in ("STAIN", "SCORES"):
        monkeypatch.setattr(versions, stage, 2)
    assert smoke("ridge").identity(SECTIONS) == before


def test_the_version_of_panels_is_that_of_runs_that_choose_genes(monkeypatch):
    panels = ("hvg(6)", "all+hvg(2)", "all", "hvg_union(4)")
    before = [smoke("ridge", panel=name).identity(SECTIONS) for name in panels]
    monkeypatch.setattr(versions, "PANEL", versions.PANEL + 1)
    after = [smoke("ridge", panel=name).identity(SECTIONS) for name in panels]
    moved = [one != other for one, other in zip(before, after, strict=True)]
    assert moved == [True, True, False, False]


def test_a_raised_version_makes_new_features_stains_and_pages(home, monkeypatch):
    section = SECTIONS[0]
    before = (
        cache_path(section, Encoding("colour", 32)),
        restained(section, [section], "hed-light").digest,
        _versions_of_a_page(),
    )
    monkeypatch.setattr(versions, "FEATURES", 2)
    monkeypatch.setattr(versions, "STAIN", 2)
    after = (
        cache_path(section, Encoding("colour", 32)),
        restained(section, [section], "hed-light").digest,
        _versions_of_a_page(),
    )
    assert all(one != other for one, other in zip(before, after, strict=True))


def _versions_of_a_page() -> str:
    return fingerprint(ROOT / "notebooks" / "01_data_review.ipynb", load("demo", ROOT), {}, ROOT)[
        "versions"
    ]
