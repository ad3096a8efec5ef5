"""The code fingerprint of a record: every file of the package that a run passes through is in it, or is named here with the reason why not."""

import ast
import inspect
from pathlib import Path

import pytest

import compendium
from compendium.methods import names, recipe
from compendium.methods.layers import Method
from compendium.runs.store import FINGERPRINTED

PACKAGE = Path(compendium.__file__).parent
# Of data, what is read shows in the section's digest.
READS = {"archives", "checks", "download", "fetch", "her2st", "labels", "own", "prepare", "slides", "sources", "synthetic", "tables", "tenx", "tissue", "visium", "wu"}
WRITES = {"export"}  # reads what was predicted
COMPUTES_ELSEWHERE = {"conduct", "cost", "engines", "slurm", "states", "study"}  # where and when a run is made, not what it is
KEEPS = {"store", "export"}


def test_every_file_of_data_and_runs_is_fingerprinted_or_cannot_change_a_prediction():
    covered = {path.relative_to(PACKAGE).as_posix() for pattern in FINGERPRINTED for path in PACKAGE.glob(pattern)}
    neutral = {f"data/{name}.py" for name in READS | WRITES} | {f"runs/{name}.py" for name in COMPUTES_ELSEWHERE | KEEPS}
    there = {path.relative_to(PACKAGE).as_posix() for room in ("data", "images", "runs") for path in (PACKAGE / room).glob("*.py") if path.name != "__init__.py"}
    assert covered & neutral == set()
    assert there == {path for path in covered | neutral if path.split("/")[0] != "methods" and not path.endswith("__init__.py")}


@pytest.mark.parametrize("method", names())
def test_every_file_of_its_room_that_a_method_is_made_of_is_fingerprinted(method):
    made_of = {Path(inspect.getfile(kind)) for kind in recipe(method).build.__mro__ if issubclass(kind, Method)}
    imports = (node.module for path in made_of for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom) and node.module)
    needed = {f"methods/{module.split('.')[2]}.py" for module in imports if module.startswith("compendium.methods.")}
    assert needed <= {*FINGERPRINTED, *(path.relative_to(PACKAGE).as_posix() for path in made_of)}
