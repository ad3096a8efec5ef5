"""Design of the predictions without an image: the authors' targets and sections; no fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compendium.evaluation import published
from compendium.evaluation.comparison import Design, placed
from compendium.evaluation.without_images import COPIED, POOLED, POOLED_OF_EACH

COHORT = "her2st"
FAMILIES = {
    "the four methods with 36 sections": ("BLEEP", "Hist2ST", "HisToGene", "ST-Net"),
    "STimage, with 32 sections": ("STimage",),
}
"""Methods with which the copy is compared, by family; named before anything was computed."""


@dataclass(frozen=True)
class Scored:
    """What a method was scored on: genes, transform of the counts, and sections."""

    panel: str
    transform: str
    sections: tuple[str, ...]

    @property
    def key(self) -> str:
        """Transform and panel, as tables name a target."""
        return f"{self.transform}, {self.panel}"


def scored() -> dict[str, Scored]:
    """Return what each method of the authors' HER2+ tables was scored on."""
    names = published.her2().groupby("method", sort=False)["section"].agg(tuple)
    return {method: Scored(*published.HER2[method], each) for method, each in names.items()}


def alike(targets: Mapping[str, Scored]) -> dict[tuple[str, ...], list[Scored]]:
    """Return the different targets by their sections: those of one list are computed together."""
    found: dict[tuple[str, ...], list[Scored]] = {}
    for target in dict.fromkeys(targets.values()):
        found.setdefault(target.sections, []).append(target)
    return found


def siblings(name: str, names: Sequence[str], patient: Mapping[str, str]) -> list[str]:
    """Return the other sections of the patient of a section."""
    return [other for other in names if other != name and patient[other] == patient[name]]


def design() -> Design:
    """Plan the predictions from sibling sections; no run belongs to them."""
    protocol = "each method's published target, genes and split; no image"
    facts = {"copied": COPIED, "pooled": POOLED, "pooled_of_each": POOLED_OF_EACH}
    return Design(COHORT, placed(COHORT), {}, protocol, facts)
