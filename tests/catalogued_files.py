"""Files in the places of the HER2+ catalogue, of bytes made here, and a catalogue of them."""

import dataclasses
from pathlib import Path

import numpy as np

from compendium.data import sources
from compendium.data.download.checksums import blob_id
from compendium.data.sources import Cohort

COUNTS = "data/ST-cnts/C2.tsv.gz"
IMAGE = "data/ST-imgs/C/C2/5714_HE_BT_C2.jpg"
SPOTS = "data/ST-spotfiles/C2_selection.tsv"
CLUSTERS = "res/ST-cluster/lbl/C2-cluster-annotation.tsv.gz"
LABELS = "data/ST-pat/lbl/C1_labeled_coordinates.tsv"
README = "data/ST-pat/lbl/README"
C2 = (COUNTS, IMAGE, SPOTS, CLUSTERS)
"""Files of section C2."""
FEW = (SPOTS, LABELS, README)
SIZES = {
    COUNTS: 800_000,
    IMAGE: 4_000_000,
    SPOTS: 10_000,
    CLUSTERS: 2_000,
    LABELS: 12_000,
    README: 300,
}


def write_files(folder: Path) -> Path:
    """Write the files, each of as many bytes as the published one has about."""
    rng = np.random.default_rng(0)
    for path, size in SIZES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(rng.bytes(size))
    return folder


def catalogue_of(folder: Path) -> Cohort:
    """Return the published cohort with the checksums of the files that lie in a folder."""
    cohort = sources.published()["her2st"]
    ids = {path: blob_id(folder / path) for path in SIZES}

    def held(files: dict[str, str | None]) -> dict[str, str | None]:
        return {path: ids.get(path, check) for path, check in files.items()}

    sections = {
        name: dataclasses.replace(section, files=held(section.files))
        for name, section in cohort.sections.items()
    }
    return dataclasses.replace(cohort, sections=sections, files=held(cohort.files))
