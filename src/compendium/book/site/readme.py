"""The table of the README, from the published tables of chapter 2.

    python -m compendium.book.site.readme

It rewrites what stands between two comments of README.md.
"""

from collections.abc import Iterator

from compendium.book.notebook.tables import reference
from compendium.chapters.id_loocv.matched_sets import COMPARED, SIZES, gaps
from compendium.evaluation.results import Results
from compendium.storage import CHECKOUT

PROFILE, CHAPTER = "her2st-subset", "id-loocv"
MARKS = "<!-- scores of chapter 2 -->", "<!-- end of scores -->"
SHOWN = {"C": COMPARED, "B": ("patient-out", "matched-between")}
"""Patient -> splits that it has; leaving out the one section of B is leaving out B."""


def lines(results: Results) -> Iterator[str]:
    """Yield the rows of the table: a column a patient and split, sizes first, then methods."""
    columns = [(patient, split) for patient, splits in SHOWN.items() for split in splits]
    sets = results["training_sets"]
    sizes = sets.groupby("split")[SIZES[:3]].median()
    steps = sets.groupby("method")["steps"].max()
    table = gaps(results["matched"], results["paired"]).set_index(["patient", "method"])
    yield _row("", "steps", *(f"{patient}: {split}" for patient, split in columns))
    yield _row(*["---"] * (2 + len(columns)))
    for name in SIZES[:3]:
        known = sizes[name].map("{:,.0f}".format)
        yield _row(
            name, "", *(known[split] if patient == "C" else "" for patient, split in columns)
        )
    for method in steps.index.intersection(table.index.unique("method"), sort=False):
        scores = (f"{table.loc[(patient, method), split]:.3f}" for patient, split in columns)
        yield _row(results.facts["titles"][method], f"{steps[method]:.0f}", *scores)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def written(text: str, results: Results) -> str:
    """Return the README with the table of some results between the comments."""
    before, rest = text.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    table = "\n".join(lines(results))
    return f"{before}{MARKS[0]}\n\n{table}\n\n{MARKS[1]}{after}"


if __name__ == "__main__":
    path = CHECKOUT / "README.md"
    path.write_text(written(path.read_text(encoding="utf-8"), reference(PROFILE, CHAPTER)))
