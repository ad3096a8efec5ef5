"""The data review chapter: what every prepared section of a cohort holds, and what the images of those that are trained and tested on look like."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from compendium.data.panels import panel as panel_genes
from compendium.data.prepare import one_by_one, open_sections, prepared_names
from compendium.data.section import Section, digest
from compendium.data.sources import cohort as listed
from compendium.evaluation import review
from compendium.evaluation.labelling import transferred
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import FAILS, HOLDS, UNDECIDED, Claim

LISTS = {
    "HER2+": "hvg_769",
    "Visium": "hvg_685",
}  # of the benchmark, by what its Table 1 calls the data


def study(cohort: str, names: Sequence[str] | None, panel: str, bins: int, slides: int) -> Results:
    """Numbers of every prepared section, and colours of at most `slides` of the named ones. Tables: numbers, table_1, constant_pairs, images, colours, darkness, thinned.

    panel: genes searched for missing variance; "" takes the benchmark's list where it has the cohort, else all.
    """
    prepared, shown, stated = (
        prepared_names(cohort),
        open_sections(cohort, names),
        review.printed(cohort),
    )

    def counted() -> Iterator[Section]:
        return one_by_one(cohort, prepared)

    numbers, shared = review.section_numbers(counted()), review.measured_everywhere(counted())
    word = panel or LISTS.get(stated.get("dataset"), "all")
    genes, drawn = panel_genes(word, shown, shared), select(shown, slides)
    sets = review.spot_sets(numbers)
    facts = {
        "data": f"{cohort} {digest(counted())}",
        "protocol": f"counts and images as deposited, no transform{sets and f', {sets}'}",
        "spot_sets": sets,
        "device": "CPU",
        "records": 0,
        "stages": {},
        "prepared": prepared,
        "shown": [section.name for section in shown],
        "drawn": [section.name for section in drawn],
        "panel": word,
        "panel_genes": len(genes),
        "spot_um": shown[0].spot_um,
        "sides": {section.name: review.image_sides(section) for section in drawn},
        "labels": transferred(drawn),
        "classed": [section.name for section in drawn if section.labels is not None],
    }
    tables = {
        "numbers": numbers,
        "table_1": review.cohort_table(numbers, shared, len(listed(cohort).sections), stated),
        "constant_pairs": review.constant_pairs(counted(), genes),
        "images": review.image_facts(drawn),
        "colours": review.channel_shares(drawn, bins),
        "darkness": review.depth_and_darkness(drawn),
        "thinned": thinned(
            next(one_by_one(cohort, [review.depth_contrast(numbers)["high"]])), genes
        ),
    }
    return Results(tables, facts)


def claims(found: Results) -> dict[str, Claim]:
    """The claim of chapter 1, from the table `table_1`: counted, so no number of patients is asked for. {} where the benchmark does not have the cohort."""
    rows = found["table_1"].set_index("row")
    if "difference" not in rows.index:
        return {}
    name, gap = rows.index[1], rows.loc["difference"]
    missed = [key for key in gap.index if gap[key]]
    agree = ", ".join(key for key in gap.index if key not in missed) or "nothing"
    told = [
        f"{key}, printed {rows.loc['printed', key]:,}, counted {rows.loc[name, key]:,}"
        for key in missed
    ]
    verdict, why = (
        FAILS if missed else HOLDS,
        f"Reproduced: {agree}; not reproduced: {'; '.join(told) or 'nothing'}.",
    )
    if name != "recomputed":
        verdict, why = UNDECIDED, f"The row can be {name} only, so it cannot be compared."
    return {
        "table_claim": Claim(
            "The numbers that Table 1 prints of this cohort are those of its files", verdict, why
        )
    }


def select(sections: Sequence[Section], most: int = 6) -> list[Section]:
    """At most `most` sections with an image: one of each patient first, laboratories in turn, then their second ones; in the order given."""
    of_patient, of_lab, ranks = Counter(), Counter(), []
    for i, section in enumerate(sections):
        if section.thumbnail is not None:
            of_patient[section.patient] += 1
            turn = of_patient[section.patient]
            of_lab[section.lab, turn] += 1
            ranks.append((turn, of_lab[section.lab, turn], i))
    return [sections[i] for *_, i in sorted(sorted(ranks)[:most], key=lambda rank: rank[-1])]


def thinned(section: Section, genes: list[str], share: float = 0.1) -> pd.DataFrame:
    """Counts as measured and with only a share of them left, drawn at random: [counts, UMIs, genes without variance, genes seen at all]."""
    counts = section.matrix(genes).astype(int)
    fewer = np.random.default_rng(0).binomial(counts, share)
    return pd.DataFrame(
        [
            {
                "counts": name,
                "UMIs": int(each.sum()),
                "genes without variance": int((np.ptp(each, axis=0) == 0).sum()),
                "genes seen at all": int((each > 0).any(axis=0).sum()),
            }
            for name, each in (("as measured", counts), (f"thinned to {share:.0%}", fewer))
        ]
    )
