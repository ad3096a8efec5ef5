"""The skeleton of every chapter: design -> runs -> fitted -> scored -> tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from compendium import versions
from compendium.data.prepare import open_sections
from compendium.data.section import Section, digest
from compendium.data.sources import cohort as listed
from compendium.data.splits import Placed, folds
from compendium.errors import BadInput
from compendium.evaluation.results import Results
from compendium.evaluation.scores import scores, summary
from compendium.methods import recipe
from compendium.runs import execute
from compendium.runs.run import Run, plan_run
from compendium.runs.store import Record

Job = tuple[str, Run]  # the key of a row, and one of its runs
SCORES = ("pcc", "spearman", "rmse", "pcc_native")
KEPT = (
    "row",
    "method",
    "split",
    "fold",
    "section",
    "patient",
    "gene",
    "panels",
    "spots",
    "pcc",
)  # of scores, where a chapter keeps those of every gene


@dataclass(frozen=True)
class Row:
    """One row: what it is called, and the words of its runs."""

    key: str
    title: str
    words: Mapping[str, object]


@dataclass(frozen=True)
class Design:
    """The runs that a chapter compares.

    Parameters
    ----------
    cohort
        Cohort of the sections, or several joined by `+`.
    sections
        The sections; entries of the catalogue will do, no data are read.
    groups
        Runs by group ("fits", "permuted", ...), each with the key of its row.
    protocol
        The protocol as a page names it.
    facts
        What pages print of the design, as JSON has it: titles of rows, roles of sections.
    """

    cohort: str
    sections: Sequence[Placed]
    groups: Mapping[str, Sequence[Job]]
    protocol: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """Return one row a fit: what it is, what it trains on and what it is tested on."""
        return pd.DataFrame(
            [
                {
                    "group": group,
                    "row": key,
                    "method": run.method,
                    "split": run.split.rule,
                    "trained on": ", ".join(run.split.train),
                    "tested on": ", ".join(run.split.test),
                    "target": run.target,
                    "encoder": run.encoder,
                    "epochs": run.epochs,
                    "seed": run.seed,
                }
                for group, jobs in self.groups.items()
                for key, run in jobs
            ]
        )


Tables = tuple[Mapping[str, pd.DataFrame], Mapping[str, object]]
Reduce = Callable[[Design, Mapping[str, "Fitted"], Sequence[Section]], Tables]


def compute(design: Design, tables: Reduce, device: str) -> Results:
    """Fit what is not stored yet, score it and reduce it to the tables of a chapter.

    Parameters
    ----------
    design
        The runs.
    tables
        The chapter's own step: (design, fitted groups, sections) -> (tables, further facts).
    device
        Where to compute: auto, cpu, cuda or mps.
    """
    sections = open_sections(design.cohort, [section.name for section in design.sections])
    groups = fitted(design.groups, sections, device)
    found, facts = tables(design, groups, sections)
    provenance = {
        "data": f"{design.cohort} {digest(sections)}",
        "attribution": listed(design.cohort).attribution,
        "protocol": design.protocol,
    }
    return Results(found, made(groups) | provenance | dict(design.facts) | dict(facts))


@dataclass(frozen=True)
class Fitted:
    """Runs by the key of their row, with the record that each ended in."""

    jobs: Sequence[Job]
    records: Sequence[Record]

    @property
    def once(self) -> "Fitted":
        """Without the fits that repeat one of an earlier seed."""
        first = dict(
            reversed([((key, replace(run, seed=0)), i) for i, (key, run) in enumerate(self.jobs)])
        )
        return Fitted(
            [self.jobs[i] for i in sorted(first.values())],
            [self.records[i] for i in sorted(first.values())],
        )

    def scores(self, sections: Sequence[Section]) -> pd.DataFrame:
        """Scores with the key of the row in the columns `row` and `method`, since one method may have several rows, and `fold`; a line a seed."""
        tables = [
            scores([run], [record], sections).assign(row=key, method=key, fold=run.split.name)
            for (key, run), record in zip(self.jobs, self.records, strict=True)
        ]
        return (
            pd.concat(tables, ignore_index=True)
            if tables
            else pd.DataFrame(columns=["row", "method", "split", "section", "pcc"])
        )

    def curves(self) -> pd.DataFrame:
        """Training loss by epoch, the sum of its terms, and relative to the first epoch; one line a row (`method`), fold and epoch."""
        lines = [
            {
                "method": key,
                "split": run.split.rule,
                "fold": run.split.name,
                "epoch": epoch,
                "loss": sum(value for name, value in terms.items() if name != "validation"),
            }
            for (key, run), record in zip(self.jobs, self.records, strict=True)
            for epoch, terms in enumerate(record.facts["curve"])
        ]
        table = pd.DataFrame(lines, columns=["method", "split", "fold", "epoch", "loss"])
        return table.assign(
            relative=table["loss"] / table.groupby(["method", "fold"])["loss"].transform("first")
        )

    def cost(self, by: Sequence[str] = ("row",)) -> pd.DataFrame:
        """What the fits took, over the folds: trainable and all parameters, epochs, training spots (median), fits, seconds of fit and prediction (sum)."""
        lines = [
            {
                "row": key,
                "split": run.split.rule,
                "trainable": record.facts["trainable"],
                "parameters": record.facts["parameters"],
                "epochs": run.epochs if record.facts["curve"] else 0,
                "training spots": record.facts["training_spots"],
                "seconds": record.facts["seconds"],
            }
            for (key, run), record in zip(self.jobs, self.records, strict=True)
        ]
        columns = ["row", "split", "trainable", "parameters", "epochs", "training spots", "seconds"]
        groups = pd.DataFrame(lines, columns=columns).groupby(list(by), sort=False)
        table = groups.agg(
            {
                "trainable": "max",
                "parameters": "max",
                "epochs": "max",
                "training spots": "median",
                "seconds": ["size", "sum"],
            }
        )
        table.columns = ["trainable", "parameters", "epochs", "training spots", "fits", "seconds"]
        return table.reset_index().astype({"training spots": int})


def testing(runs: Sequence[Run], tested: Sequence[str]) -> list[Run]:
    """Those of some planned runs whose fold tests one of the sections `tested`, all where none is named."""
    found = [run for run in runs if not tested or set(tested) & set(run.split.test)]
    if not found:
        rules, tests = (
            ", ".join(dict.fromkeys(names))
            for names in (
                (run.split.rule for run in runs),
                (name for run in runs for name in run.split.test),
            )
        )
        raise BadInput(
            f"tested names {', '.join(tested)}, but the folds of {rules} test {tests}; name one of these, or other splits"
        )
    return found


def repeated(jobs: Sequence[Job], seeds: Mapping[str, int]) -> list[Job]:
    """Each job with as many seeds as `seeds` says for what its method predicts at a time, "spot" or "section" (1 where it says nothing). Controls are fitted once."""
    if few := [unit for unit, number in seeds.items() if number < 1]:
        raise BadInput(f"the number of seeds of {few[0]} models is {seeds[few[0]]}; give 1 or more")

    def times(run: Run) -> int:
        return 1 if recipe(run.method).control else seeds.get(recipe(run.method).unit, 1)

    return [
        (key, replace(run, seed=run.seed + more)) for key, run in jobs for more in range(times(run))
    ]


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Scores of fits that differ in their seed alone, averaged, the first one's seed beside them; what is missing for one seed is missing."""
    key = ["row", "fold", "section", "gene"]
    if not table.duplicated(key).any():
        return table
    groups, means = table.groupby(key, sort=False), table.drop_duplicates(key).set_index(key)
    return means.assign(
        **{
            name: groups[name].mean().where(groups[name].count() == groups.size())
            for name in SCORES
        }
    ).reset_index()[list(table)]


def by_seed(table: pd.DataFrame) -> pd.DataFrame:
    """Median PCC over genes and sections of each row and seed, before the mean is taken: [method, split, seed, median]."""
    return summary(table, ["method", "split", "seed"])[["method", "split", "seed", "median"]]


def seeds_told(seeds: pd.DataFrame) -> str:
    """How many fits there are of what was fitted more than once, and how far these lie apart; rows of `by_seed`."""
    groups = seeds.groupby(["method", "split"])["median"].agg(["size", "min", "max"])
    several = groups[groups["size"] > 1]
    if several.empty:
        return "Each row is one fit of one seed; how far another seed would lie is not shown here."
    often = ", ".join(str(number) for number in sorted(several["size"].unique()))
    return (
        f"Heads and networks that were fitted with several seeds ({often}) are shown by the mean of their scores; the medians of single seeds lie up to "
        f"{(several['max'] - several['min']).max():.3f} apart. {'All others are one fit.' if len(several) < len(groups) else ''}".strip()
    )


def fitted(
    groups: Mapping[str, Sequence[Job]], sections: Sequence[Section], device: str
) -> dict[str, Fitted]:
    """Groups of jobs, all executed as one: what is done already is read."""
    records = iter(
        execute([run for jobs in groups.values() for _, run in jobs], sections, device=device)
    )
    return {
        name: Fitted(list(jobs), [next(records) for _ in jobs]) for name, jobs in groups.items()
    }


def made(groups: Mapping[str, Fitted]) -> dict[str, object]:
    """What the records say of their making, for the facts of a chapter: device, number of records, versions of their stages."""
    records = [record for group in groups.values() for record in group.records]
    return {
        "device": ", ".join(dict.fromkeys(record.facts["device"] for record in records)),
        "records": len(records),
        "seconds": round(sum(record.facts["seconds"] for record in records)),
        "versions": records[0].facts["versions"] if records else {},
        "stages": stages(records),
    }


def stages(records: Sequence[Record]) -> dict[str, int]:
    """The version of every stage that some records passed through, and of every method, as method NAME."""
    found = {"scores": versions.SCORES} if records else {}
    for record in records:
        found |= {
            f"method {record.facts['run']['method']}" if stage == "method" else stage: number
            for stage, number in record.facts["stages"].items()
        }
    return found


def floor(own: pd.DataFrame, twins: pd.DataFrame, jobs: Sequence[Job]) -> pd.DataFrame:
    """One line a row: its median PCC, that of its twin, and whether it is a result: trained at the width and for as long as that takes, and above its twin.

    The twin is the same model, trained on patches shuffled within each section. Without one a row passes by its training alone, if it has a score.
    """
    lines = (
        pd.DataFrame(
            {
                "pcc": own.groupby("row")["pcc"].median(),
                "twin": twins.groupby("row")["pcc"].median(),
            }
        )
        .reindex(dict.fromkeys(key for key, _ in jobs))
        .astype(float)
    )
    enough = {key: all(run.result for name, run in jobs if name == key) for key in lines.index}
    above = (lines["pcc"] > lines["twin"]) | ~lines.index.isin(twins["row"].unique())
    return (
        lines.assign(trained=lines.index.map(enough), result=above & lines.index.map(enough))
        .rename_axis("row")
        .reset_index()
    )


def marks(smoke: Sequence[str], facts: Mapping[str, object]) -> str:
    """What a caption must say of the rows under it: which are no results."""
    return f" Smoke, not a result: {', '.join(smoke)}." if smoke else ""


def changed(run: Run) -> Mapping[str, str]:
    """Word -> `now instead of published`, of the words in which a run differs from its method's recipe."""
    facts = recipe(run.method)
    words = {
        "learning rate": (facts.lr, run.lr),
        "epochs": (facts.epochs, run.epochs),
        "batch": (facts.batch, run.batch),
        "optimiser": (facts.optimiser, run.optimiser),
    }
    words |= {"tile px": (facts.tile_px, run.tile_px)} | {
        word: (facts.model[word], value) for word, value in run.model if word != "gamma"
    }
    words["encoder"] = (facts.encoder or "raw tiles", run.encoder)
    return {
        word: f"{now} instead of {published}"
        for word, (published, now) in words.items()
        if published != now
    }


def one_patient_jobs(
    row: Row, cohort: str, sections: Sequence[Section], patients: Sequence[str], **words
) -> list[Job]:
    """The runs of a row, one for each patient that is trained on alone."""
    if unknown := set(patients) - {section.patient for section in sections}:
        raise BadInput(
            f"patient {sorted(unknown)[0]} has no section here; patients are {', '.join(dict.fromkeys(section.patient for section in sections))}"
        )
    of = {section.name: section.patient for section in sections}
    splits = [split for split in folds("one-patient", sections) if of[split.train[0]] in patients]
    return [
        (row.key, plan_run(cohort, split, sections=list(sections), **words | row.words))
        for split in splits
    ]


def permuted_controls(planned: Sequence[Job]) -> list[Job]:
    """The same runs on patches shuffled within each training section, of those that are trained long enough to be a result."""
    return [
        (key, replace(run, permute=True))
        for key, run in planned
        if run.result and not recipe(run.method).control
    ]
