"""The core runs where only its own dependencies are installed."""

import subprocess
import sys

BLOCKED = "scanpy squidpy anndata plotly papermill kornia spatialdata jupyter_book torch_geometric harmonypy"
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
    code = "import sys; from compendium.__main__ import parser; parser().format_help(); assert not {'torch', 'numpy', 'pandas', 'plotly'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
