"""The skeleton of every chapter: design -> runs -> fitted -> scored -> tables."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np
import pandas as pd

from compendium import versions
from compendium.data.partition import ROLES, Partition, partition
from compendium.data.prepare import open_sections
from compendium.data.section import Section, digest
from compendium.data.sources import cohort as catalogued
from compendium.data.splits import PUBLISHED_OOD, Placed, folds
from compendium.errors import BadInput
from compendium.evaluation.planned import PLANNED_ONLY, Planned
from compendium.evaluation.results import Results
from compendium.evaluation.scores import COLUMNS, TITLES, scores, summary
from compendium.evaluation.settled import last_fall
from compendium.methods import recipe
from compendium.runs import Run, execute, plan_run, plan_runs
from compendium.runs.store import AVERAGED, Record, mean_over

Job = tuple[str, Run]  # the key of a row, and one of its runs
KEPT = (*"row method split fold section patient gene panels spots".split(), *TITLES)
"""Columns of the scores, where a chapter keeps those of every gene."""


@dataclass(frozen=True)
class Row:
    """One row of a comparison: its key, its title, and the parameters of its runs."""

    key: str
    title: str
    parameters: Mapping[str, object]


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
    predicted
        Groups whose predictions are published; of others only scores, loss and cost are.
    weighed
        Group of which weights are published (see compendium.book.run.weights); "" for none.
    """

    cohort: str
    sections: Sequence[Placed]
    groups: Mapping[str, Sequence[Job]]
    protocol: str
    facts: Mapping[str, object] = field(default_factory=dict)
    predicted: Collection[str] = ()
    weighed: str = ""

    def table(self) -> pd.DataFrame:
        """Return one row a group, row and split.

        Returns
        -------
        Columns: group, row, split, folds, seeds, training sections (of the smallest fold), target,
        encoder, epochs (0 where steps decide), steps (0 where epochs decide), batch.
        """
        by = ["group", "row", "split"]
        of_first = ["target", "encoder", "epochs", "steps", "batch"]
        reduce = {
            "folds": "nunique",
            "seeds": "nunique",
            "training sections": "min",
            **dict.fromkeys(of_first, "first"),
        }
        lines = [
            {
                "group": group,
                "row": key,
                "split": run.split.rule,
                "folds": run.split,
                "seeds": run.seed,
                "training sections": len(run.split.train),
                **{name: getattr(run, name) for name in of_first},
            }
            for group, jobs in self.groups.items()
            for key, run in jobs
        ]
        table = pd.DataFrame(lines, columns=[*by, *reduce])
        return table.groupby(by, sort=False).agg(reduce).reset_index()


@dataclass(frozen=True)
class Fitted:
    """Runs by the key of their row, with the record that each ended in."""

    jobs: Sequence[Job]
    records: Sequence[Record]

    def __iter__(self) -> Iterator[tuple[str, Run, Record]]:
        for (key, run), record in zip(self.jobs, self.records, strict=True):
            yield key, run, record

    @property
    def once(self) -> "Fitted":
        """The fits of the first seed of each row and fold."""
        return self._at(numbers[0] for numbers in self._by_seedless().values())

    @property
    def averaged(self) -> "Fitted":
        """Those of `once`, whose predictions are means over the seeds of the row and fold.

        Published runs have no other predictions.
        """
        groups = [[self.records[i] for i in some] for some in self._by_seedless().values()]
        return Fitted(self.once.jobs, [averaged(records) for records in groups])

    def _by_seedless(self) -> dict[Job, list[int]]:
        """Numbers of the jobs that differ in their seed alone."""
        numbers: dict[Job, list[int]] = {}
        for number, (key, run) in enumerate(self.jobs):
            numbers.setdefault((key, replace(run, seed=0)), []).append(number)
        return numbers

    def of(self, keys: Collection[str]) -> "Fitted":
        """Return the fits of some rows."""
        return self._at(number for number, (key, _) in enumerate(self.jobs) if key in keys)

    def _at(self, numbers: Iterable[int]) -> "Fitted":
        numbers = sorted(numbers)
        return Fitted([self.jobs[i] for i in numbers], [self.records[i] for i in numbers])

    def scores(self, sections: Sequence[Section]) -> pd.DataFrame:
        """Score every fit on its test sections.

        Returns
        -------
        The columns of `compendium.evaluation.scores.scores`, with the key of the row in `row` and
        in `method` (one method may have several rows), and `fold`. Each seed has its own lines.
        """
        tables = [
            scores([run], [record], sections).assign(row=key, method=key, fold=run.split.name)
            for key, run, record in self
        ]
        empty = pd.DataFrame(columns=["seed", *KEPT])
        return pd.concat(tables, ignore_index=True) if tables else empty

    def curves(self) -> pd.DataFrame:
        """Return the training loss by epoch.

        Returns
        -------
        One line a row, fold and epoch: method, split, fold, epoch, step (optimiser steps at its
        end), loss (the sum of its terms), relative (loss divided by that of the first epoch).
        """
        lines = []
        for key, run, record in self:
            for epoch, (terms, step) in enumerate(
                zip(record.facts["curve"], steps(record), strict=True)
            ):
                loss = sum(value for name, value in terms.items() if name != "validation")
                lines.append((key, run.split.rule, run.split.name, epoch, step, loss))
        table = pd.DataFrame(lines, columns=["method", "split", "fold", "epoch", "step", "loss"])
        first = table.groupby(["method", "fold"])["loss"].transform("first")
        return table.assign(relative=table["loss"] / first)

    def cost(self, by: Sequence[str] = ("row",)) -> pd.DataFrame:
        """Return what the fits took.

        Parameters
        ----------
        by
            Columns that make a group: "row", or "row" and "split".

        Returns
        -------
        One line a group: trainable and all parameters, epochs and steps as done, settled (see
        `compendium.evaluation.settled.last_fall`), training spots (median over the folds), fits,
        seconds of fit and prediction (sum over the fits).
        """
        stated = ["trainable", "parameters", "training_spots", "seconds"]
        lines = [
            {
                "row": key,
                "split": run.split.rule,
                "epochs": len(record.facts["curve"]),
                "steps": max(steps(record), default=0),
                **{name: record.facts[name] for name in stated},
            }
            for key, run, record in self
        ]
        fits = pd.DataFrame(lines, columns=["row", "split", "epochs", "steps", *stated])
        reduce = {
            "trainable": ("trainable", "max"),
            "parameters": ("parameters", "max"),
            "epochs": ("epochs", "max"),
            "steps": ("steps", "max"),
            "training spots": ("training_spots", "median"),
            "fits": ("seconds", "size"),
            "seconds": ("seconds", "sum"),
        }
        table = fits.groupby(list(by), sort=False).agg(**reduce)
        falls = last_fall(self.curves().rename(columns={"method": "row"}), by).set_index(list(by))
        table["settled"] = falls["settled"].reindex(table.index, fill_value=True)
        return table.reset_index().astype({"training spots": int})


def averaged(records: Sequence[Record]) -> Record:
    """Return the first of some records, with the mean predictions and probabilities of all."""
    first = records[0]
    if len(records) == 1:
        return first
    seeds = [len(record.facts.get("published", {"seeds": ()})["seeds"]) for record in records]
    if max(seeds) >= len(records):  # a published run has the means already
        means = records[int(np.argmax(seeds))]
        return replace(first, **{name: getattr(means, name) for name in AVERAGED})
    return replace(first, **{name: mean_over(records, name) for name in AVERAGED})


def steps(record: Record) -> list[int]:
    """Return the number of steps at the end of each epoch.

    Records that state none are of whole epochs, and are counted in these.
    """
    return record.facts.get("steps", list(range(1, len(record.facts["curve"]) + 1)))


Tables = tuple[Mapping[str, pd.DataFrame], Mapping[str, object]]
Reduce = Callable[[Design, Mapping[str, Fitted], Sequence[Section]], Tables]


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
    if PLANNED_ONLY.get():
        raise Planned(design)
    sections = open_sections(design.cohort, [section.name for section in design.sections])
    groups = fitted(design.groups, sections, device)
    reduced, facts = tables(design, groups, sections)
    stated = {
        **provenance(groups),
        "data": f"{design.cohort} {digest(sections)}",
        "protocol": design.protocol,
        "attribution": catalogued(design.cohort).attribution,
        **design.facts,
        **facts,
    }
    return Results(reduced, stated)


def placed(cohort: str, names: Sequence[str] | None = None) -> list[Placed]:
    """Return the catalogue's entries of some sections, by default of all; no data are read."""
    known = catalogued(cohort)
    return [known.section(name) for name in names] if names else list(known.sections.values())


def partitioned(cohort: str, roles: Mapping[str, Sequence[str]]) -> tuple[list[Placed], Partition]:
    """Return the sections of each role and their partition; without names that of the benchmark.

    Parameters
    ----------
    roles
        Role (training, validation, test) -> names of its sections.
    """
    named = [list(roles.get(role, ())) for role in ROLES]
    sections = placed(cohort, [*chain(*named)] or [*chain(*PUBLISHED_OOD)])
    return sections, partition(sections, *named)


def role_texts(results: Results) -> dict[str, str]:
    """Return the sections of each role as ROLE_sections, and what validation and test are."""
    roles = pd.Series(results.facts["roles"])
    named = {f"{role}_sections": ", ".join(roles.index[roles == role]) for role in ROLES}
    return named | {name: results.facts[name] for name in ("validation_is", "test_is")}


def protocol_line(split: str, parameters: Mapping[str, object]) -> str:
    """Return the protocol as a page names it: clean, and what differs from it."""
    stated = [name for name in ("panel", "encoder", "budget", "steps") if name in parameters]
    changes = ", ".join(f"{name} = {parameters[name]}" for name in stated)
    return f"clean, except split {split}, {changes}"


def fitted(
    groups: Mapping[str, Sequence[Job]], sections: Sequence[Section], device: str
) -> dict[str, Fitted]:
    """Execute all groups as one study; runs that are stored already are read."""
    runs = [run for jobs in groups.values() for _, run in jobs]
    records = iter(execute(runs, sections, device=device))
    return {name: Fitted(jobs, [next(records) for _ in jobs]) for name, jobs in groups.items()}


def provenance(groups: Mapping[str, Fitted]) -> dict[str, object]:
    """Return what the records say of their making.

    Returns
    -------
    device, records (their number), published (how many of them are published runs), seconds (sum),
    versions (of packages), stages (their versions).
    """
    records = [record for group in groups.values() for record in group.records]
    return {
        "device": ", ".join(dict.fromkeys(record.facts["device"] for record in records)),
        "records": len(records),
        "published": sum("published" in record.facts for record in records),
        "seconds": round(sum(record.facts["seconds"] for record in records)),
        "versions": records[0].facts["versions"] if records else {},
        "stages": stages(records),
    }


def stages(records: Sequence[Record]) -> dict[str, int]:
    """Return the version of every stage that records passed through; a method's as method NAME."""
    passed = {"scores": versions.SCORES} if records else {}
    for record in records:
        passed |= {
            f"method {record.facts['run']['method']}" if stage == "method" else stage: number
            for stage, number in record.facts["stages"].items()
        }
    return passed


def testing(runs: Sequence[Run], tested: Sequence[str]) -> list[Run]:
    """Return the runs whose fold tests one of the sections `tested`, all where none is named."""
    chosen = [run for run in runs if not tested or set(tested) & set(run.split.test)]
    if not chosen:
        rules = ", ".join(dict.fromkeys(run.split.rule for run in runs))
        tests = ", ".join(dict.fromkeys(name for run in runs for name in run.split.test))
        raise BadInput(
            f"tested names {', '.join(tested)}, but the folds of {rules} test {tests}; "
            "name one of these, or other splits"
        )
    return chosen


def repeated(jobs: Sequence[Job], seeds: int) -> list[Job]:
    """Repeat jobs with several seeds, the same number for every row; controls are fitted once."""
    if seeds < 1:
        raise BadInput(f"the number of seeds is {seeds}; give 1 or more")
    return [
        (key, replace(run, seed=run.seed + more))
        for key, run in jobs
        for more in range(1 if recipe(run.method).control else seeds)
    ]


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Average the scores of fits that differ in their seed alone.

    The seed of the first is kept. A score that is missing for one seed is missing.
    """
    key = ["row", "fold", "section", "gene"]
    if not table.duplicated(key).any():
        return table
    groups, means = table.groupby(key, sort=False), table.drop_duplicates(key).set_index(key)
    seeds = groups.size()
    averaged = {name: groups[name].mean().where(groups[name].count() == seeds) for name in COLUMNS}
    return means.assign(**averaged).reset_index()[list(table)]


def by_seed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the median PCC over genes and sections of each seed: method, split, seed, median."""
    return summary(table, ["method", "split", "seed"])[["method", "split", "seed", "median"]]


def seed_range(seeds: pd.DataFrame) -> pd.DataFrame:
    """Return how far the seeds of each row lie apart.

    Parameters
    ----------
    seeds
        Table of `by_seed`.

    Returns
    -------
    Columns: method, split, seeds, lowest, highest, range (of the median PCC; NaN for one seed).
    """
    groups = seeds.groupby(["method", "split"], sort=False)["median"]
    table = groups.agg(seeds="size", lowest="min", highest="max").reset_index()
    return table.assign(range=(table["highest"] - table["lowest"]).where(table["seeds"] > 1))


def criterion(own: pd.DataFrame, permuted: pd.DataFrame, jobs: Sequence[Job]) -> pd.DataFrame:
    """Decide which rows meet the minimum training criterion; the others are preliminary.

    The score of a fit is its median PCC over genes, mean over its test sections; 0 where it
    predicts constants. A trained row meets the criterion if the mean over folds is above 0, and
    above that of its permuted-image control (the same model, trained on tiles that are shuffled
    within each section), by more than two standard errors over seeds and folds, and above the
    control in at least four of five folds, in all where there are fewer. Seeds of one fold
    depend on each other: the standard error is that of the means of the folds, and of the seeds
    where there is one fold. A single fit has none and does not meet the criterion, nor does the
    budget smoke. Methods that are controls themselves are exempt.

    Parameters
    ----------
    own, permuted
        Scores [row, fold, seed, section, pcc] of the rows, each seed by itself, and of their
        permuted-image controls. Only folds with a control are compared with it.
    jobs
        The runs of the rows.

    Returns
    -------
    One line a row: row, fits, folds, pcc (mean over folds), error (its standard error), permuted
    (mean of the control), gain (mean of the differences), gain_error, above (folds above the
    control), compared (folds with a control), result (whether the criterion is met).
    """
    fits = _by_fit(own).to_frame("pcc")
    control = _by_fit(permuted).groupby(["row", "fold"]).mean().rename("permuted")
    fits = fits.join(control, on=["row", "fold"]).reset_index()
    fits["gain"] = fits["pcc"] - fits["permuted"]
    values = ["pcc", "permuted", "gain"]
    by_row = fits.groupby("row")[values]
    folds = fits.groupby(["row", "fold"])[values].mean().groupby("row")
    error = folds.sem().fillna(by_row.sem())
    lines = folds.mean().assign(
        fits=by_row.size(),
        folds=folds.size(),
        error=error["pcc"],
        gain_error=error["gain"],
        above=folds["gain"].agg(lambda gain: (gain > 0).sum()),
        compared=folds["gain"].count(),
    )
    runs = dict(jobs)
    lines = lines.reindex(pd.Index(runs, name="row")).reset_index()
    counts = ["fits", "folds", "above", "compared"]
    lines = lines.fillna(dict.fromkeys(counts, 0)).astype(dict.fromkeys(counts, int))
    exempt = np.array([recipe(run.method).control for run in runs.values()])
    trained = np.array([run.budget != "smoke" for run in runs.values()])
    beyond = (lines["pcc"] > 2 * lines["error"]) & (lines["gain"] > 2 * lines["gain_error"])
    enough = 5 * lines["above"] >= 4 * lines["compared"]
    columns = "row fits folds pcc error permuted gain gain_error above compared".split()
    return lines[columns].assign(result=exempt | (trained & beyond & enough))


def _by_fit(table: pd.DataFrame) -> pd.Series:
    """Return the score of each row, fold and seed, see `criterion`."""
    fit = ["row", "fold", "seed"]
    medians = table.astype({"pcc": float}).groupby([*fit, "section"])["pcc"].median()
    return medians.fillna(0.0).groupby(fit).mean()


PRINTED = {
    "row": "row",
    "pcc": "median PCC",
    "error": "standard error",
    "permuted": "permuted-image control",
    "gain": "above it by",
    "gain_error": "standard error of that",
    "above": "folds above it",
    "compared": "folds with it",
    "result": "meets the criterion",
}
"""Columns of `criterion` that are printed, and their titles."""


def criterion_table(results: Results) -> pd.DataFrame:
    """Return the table `criterion` as pages print it, without what an earlier version lacks."""
    table = results["criterion"]
    return table[[name for name in PRINTED if name in table]].rename(columns=PRINTED)


def titles(results: Results) -> dict[str, str]:
    """Return the title of each row, see `labelled`."""
    met = results["criterion"].set_index("row")["result"]
    return labelled(results.facts["titles"], met.to_dict())


def labelled(titles: Mapping[str, str], result: Mapping[str, bool]) -> dict[str, str]:
    """Return the title of each row, with "(preliminary)" below the minimum training criterion."""
    return {
        key: title if result.get(key, True) else f"{title} (preliminary)"
        for key, title in titles.items()
    }


def changed(run: Run) -> dict[str, str]:
    """Return the parameters in which a run differs from its method's recipe.

    Returns
    -------
    Parameter -> "NOW instead of PUBLISHED".
    """
    facts = recipe(run.method)
    published_and_now = {
        "learning rate": (facts.lr, run.lr),
        "epochs": (facts.epochs, f"{run.steps} steps" if run.steps else run.epochs),
        "batch": (facts.batch, run.batch),
        "optimiser": (facts.optimiser, run.optimiser),
        "tile px": (facts.tile_px, run.tile_px),
        **{name: (facts.model[name], now) for name, now in run.model if name != "gamma"},
        "encoder": (facts.encoder or "raw tiles", run.encoder),
    }
    return {
        name: f"{now} instead of {published}"
        for name, (published, now) in published_and_now.items()
        if published != now
    }


def one_patient_jobs(
    row: Row, cohort: str, sections: Sequence[Placed], patients: Sequence[str], **parameters
) -> list[Job]:
    """Return the runs of a row, one for each patient that is trained on alone.

    Parameters
    ----------
    row
        The row; its parameters go before `parameters`.
    cohort, sections
        The cohort, and its sections that are used.
    patients
        The patients to train on, of those that have sections here.
    **parameters
        Of every run, see `plan_run`.

    Raises
    ------
    BadInput
        Where a patient has no section, or a parameter cannot be used.
    """
    of = {section.name: section.patient for section in sections}
    if unknown := sorted(set(patients) - set(of.values())):
        raise BadInput(
            f"patient {unknown[0]} has no section here; "
            f"patients are {', '.join(dict.fromkeys(of.values()))}"
        )
    splits = [split for split in folds("one-patient", sections) if of[split.train[0]] in patients]
    stated = parameters | dict(row.parameters) | {"sections": list(sections)}
    return [(row.key, plan_run(cohort, split, **stated)) for split in splits]


def split_jobs(
    rows: Iterable[Row],
    cohort: str,
    sections: Sequence[Placed],
    rules: Sequence[str],
    tested: Sequence[str],
    **parameters,
) -> list[Job]:
    """Return the runs of rows on every distinct fold.

    Parameters
    ----------
    rows
        The rows; their parameters, one of which is the method, go before `parameters`.
    cohort, sections
        The cohort, and its sections that are used.
    rules
        Rules of splits, such as section-out.
    tested
        Names of sections: only folds that test one of them are run; all where none is named.
    **parameters
        Of every run, see `plan_run`.

    Raises
    ------
    BadInput
        Where no fold tests one of `tested`, or a parameter cannot be used.
    """
    jobs = []
    for row in rows:
        stated = parameters | dict(row.parameters)
        runs = plan_runs(cohort, sections, rules, [stated.pop("method")], **stated)
        jobs += [(row.key, run) for run in testing(runs, tested)]
    return jobs


def permuted_controls(planned: Sequence[Job]) -> list[Job]:
    """Return the permuted-image controls of the rows that can meet the criterion with them."""
    return [
        (key, replace(run, permute=True))
        for key, run in planned
        if run.budget != "smoke" and not recipe(run.method).control
    ]
