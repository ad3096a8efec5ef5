"""Reader of the Visium breast cancer sections that 10x Genomics publishes, each a Space Ranger output with its image."""

from pathlib import Path

from compendium.data.readers import visium
from compendium.data.section import Section
from compendium.data.sources import SectionSource, cohort
from compendium.errors import BadInput


def read(root: Path, name: str, px: int) -> Section:
    """One section of the cohort from its raw files under `root`; spots are those in tissue. `px`: side of the stored patches in pixels of the full image."""
    facts = cohort("tenx").section(name)
    if not visium.is_output(_folder(root, facts)):
        raise BadInput(
            f"tenx section {name}: there is no {_folder(root, facts) / 'spatial'}; run compendium fetch tenx --sections {name}, which unpacks it there"
        )
    return visium.read(_folder(root, facts), "tenx", facts, px)


def counted(root: Path) -> list[str]:
    """Names of the sections whose counts lie under `root`."""
    return [
        name
        for name, facts in cohort("tenx").sections.items()
        if any(path.endswith(".h5") and (root / path).exists() for path in facts.files)
    ]


def _folder(root: Path, facts: SectionSource) -> Path:
    return root / Path(next(iter(facts.files))).parent
