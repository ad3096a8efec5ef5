"""The core runs where only its own dependencies are installed."""

import os
import subprocess
import sys

import pytest

BLOCKED = (
    "scanpy squidpy anndata plotly papermill kornia spatialdata jupyter_book torch_geometric "
    "harmonypy"
)
CODE = f"""
import importlib, pkgutil, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BLOCKED.split()!r}:
            raise ImportError(name + " is not part of the core")
sys.meta_path.insert(0, Refuse())
import compendium
for room in ("data", "images", "methods", "runs"):
    package = importlib.import_module("compendium." + room)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"compendium.{{room}}.{{module.name}}")
late = [name for name in ("timm", "sklearn", "skimage", "torchvision") if name in sys.modules]
assert "compendium.evaluation" not in sys.modules, "runs must not import evaluation"
print(late)
"""


def test_core_rooms_import_without_the_rim():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from compendium.__main__ import parser; parser().format_help(); "
        "assert not {'torch', 'numpy', 'pandas', 'plotly'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


RUN = (
    CODE.partition("import compendium\n")[0]
    + """
import numpy as np
from scipy.sparse import csr_matrix
from compendium.data.panels import published
from compendium.data.section import Section, load
from compendium.data.splits import folds
from compendium.runs import plan_run, run_once
genes, rng, sections = np.array(published("markers_12")), np.random.default_rng(0), []
for name in "AB":
    grid = np.stack(np.divmod(np.arange(16), 4)[::-1], axis=1).astype(np.int32)
    made = Section(
        "tiny", name, name, "L", "", genes, np.array([f"{x}x{y}" for x, y in grid]), grid,
        (grid * 80 + 40).astype(np.float32), 0.7,
        csr_matrix(rng.poisson(4, (16, 12)).astype(np.int32)),
        rng.integers(0, 256, (16, 224, 224, 3), dtype=np.uint8),
    )
    sections.append(made.save(Path(sys.argv[1]) / name))
run = plan_run(
    "tiny", folds("section-out", sections)[0], "ridge", sections=sections, panel="markers_12",
    encoder="colour",
)
print(run_once(run, sections, device="cpu").predictions["A"].shape)
"""
).replace("import importlib", "from pathlib import Path\nimport importlib")


@pytest.mark.slow
def test_a_run_on_prepared_sections_with_a_named_panel_needs_the_bare_core(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", RUN, tmp_path],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"COMPENDIUM_HOME": str(tmp_path)},
    )
    assert done.stdout == "(16, 12)\n", done.stderr
