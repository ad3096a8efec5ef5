"""The code fingerprint of a record: every file of the package that a run passes through is in it, or is named here with the reason why not."""

from pathlib import Path

import compendium
from compendium.runs.store import FINGERPRINTED

PACKAGE = Path(compendium.__file__).parent
READS = {"archives", "checks", "download", "fetch", "her2st", "own", "prepare", "seurat", "slides", "sources", "synthetic", "tables", "tissue", "visium"}  # shows in the section's digest
WRITES = {"export"}  # reads what was predicted
COMPUTES_ELSEWHERE = {"conduct", "cost", "engines", "slurm", "states", "study"}  # where and when a run is made, not what it is
KEEPS = {"store", "export"}


def test_every_file_of_data_and_runs_is_fingerprinted_or_cannot_change_a_prediction():
    covered = {path.relative_to(PACKAGE).as_posix() for pattern in FINGERPRINTED for path in PACKAGE.glob(pattern)}
    neutral = {f"data/{name}.py" for name in READS | WRITES} | {f"runs/{name}.py" for name in COMPUTES_ELSEWHERE | KEEPS}
    there = {path.relative_to(PACKAGE).as_posix() for room in ("data", "images", "runs") for path in (PACKAGE / room).glob("*.py") if path.name != "__init__.py"}
    assert covered & neutral == set()
    assert there == {path for path in covered | neutral if path.split("/")[0] != "methods" and not path.endswith("__init__.py")}
