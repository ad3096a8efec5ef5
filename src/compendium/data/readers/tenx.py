"""Reader of the Visium breast cancer sections of 10x Genomics, each a Space Ranger output."""

from pathlib import Path

from compendium.data.readers import visium
from compendium.data.section import Section
from compendium.data.sources import SectionSource, cohort
from compendium.errors import BadInput


def read(root: Path, name: str, px: int) -> Section:
    """Read one section of the cohort from its raw files under `root`.

    Parameters
    ----------
    px
        Side of the stored tiles in px of the image.

    Returns
    -------
    Section with the spots in tissue.
    """
    source = cohort("tenx").section(name)
    folder = root / Path(next(iter(source.files))).parent
    if not visium.is_output(folder):
        mend = f"run compendium fetch tenx --sections {name}, which unpacks it there"
        raise BadInput(f"there is no {folder / 'spatial'}; {mend}")
    return visium.read(folder, source, px)


def has_counts(root: Path, source: SectionSource) -> bool:
    """Test whether counts of a section lie under `root`."""
    return any(path.endswith(".h5") and (root / path).exists() for path in source.files)
