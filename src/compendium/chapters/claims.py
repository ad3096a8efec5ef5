"""The benchmark's claims, chapter by chapter, and what a chapter's tables say of them: for its page, and for the pages that tell of all chapters."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from compendium.data.sources import cohort
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Claim

CLAIMS: Mapping[str, Callable[[Results], dict[str, Claim]]] = {
}  # fmt: skip
MADE_UP = "The cohort is made up: nothing follows for tissue."


def claims(chapter: str, found: Results) -> dict[str, Claim]:
    """Key -> claim, in the order of the chapter's page; of a cohort that is made up each ends by saying so."""
    ending = f" {MADE_UP}" if made_up(found) else ""
    return {
        key: replace(claim, why=claim.why + ending) for key, claim in CLAIMS[chapter](found).items()
    }


def made_up(found: Results) -> bool:
    """Whether the cohort of a chapter's tables was drawn from a model."""
    return bool(cohort(found.facts["data"].partition(" ")[0]).generator)
