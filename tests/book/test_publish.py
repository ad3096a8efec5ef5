"""A reference run is published fit by fit, and chapters are computed from what is published."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compendium import storage as disk
from compendium import versions
from compendium.book.notebook import tables as chapter_tables
from compendium.book.notebook.profiles import Profile
from compendium.book.run import publish as publishing
from compendium.book.run.plan import planned
from compendium.chapters.id_loocv.design import design as plan_chapter
from compendium.chapters.id_loocv.results import tables
from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.comparison import compute
from compendium.evaluation.results import differences
from compendium.evaluation.scores import TITLES, scores
from compendium.runs import execute, published, store
from compendium.runs.publishing import has_predictions
from compendium.runs.study.progress import Progress
from conftest import tiny_section

SECTIONS = [
    *(tiny_section(name, px=224, labelled=True) for name in ("S1", "S2")),
    tiny_section("S3", patient="P2", px=224, labelled=True),
]
PARAMETERS = {"panel": "all", "encoder": "colour", "weights": "", "budget": "smoke", "seed": 0}
CHAPTER = "id-loocv"


@pytest.fixture
def checkout(tmp_path, monkeypatch, home):
    """A checkout with its catalogue alone, and tiny sections for those of the demo cohort."""
    data = tmp_path / "checkout" / "data"
    (data / "reference").mkdir(parents=True)
    shutil.copy(disk.CHECKOUT / "data" / "sources.yaml", data)
    shutil.copytree(disk.CHECKOUT / "data" / "genes", data / "genes")
    monkeypatch.setattr(disk, "CHECKOUT", data.parent)
    for opens in (comparison, publishing):
        monkeypatch.setattr(opens, "open_sections", lambda cohort, names: SECTIONS)
    monkeypatch.setattr("compendium.chapters.id_loocv.design.placed", lambda *_: SECTIONS)
    profile = Profile("tiny", "Tiny", "demo", chapters={CHAPTER: {}})
    monkeypatch.setattr(publishing.profiles, "load", lambda name: profile)
    monkeypatch.setattr(publishing.chapters, "usual", lambda name, profile: {})
    plan(monkeypatch)
    return data / "reference"


def plan(monkeypatch, methods=("mean", "colour", "stnet"), seeds=2) -> comparison.Design:
    """Let the chapter plan these methods, and return its design."""
    words = {"draws": {"spot": 1}, "seeds": seeds, "section": "S2"} | PARAMETERS
    design = plan_chapter("demo", None, methods, **words)
    monkeypatch.setattr(publishing, "planned", lambda name, profile: design)
    return design


def computed(design: comparison.Design) -> comparison.Results:
    """Compute the chapter, and keep its tables as its page does."""
    facts = {"parameters": {}, "commit": "1234567"}
    folder = chapter_tables.computed("tiny") / CHAPTER
    return chapter_tables._stored(folder, compute(design, tables, "cpu"), facts)


def elsewhere(monkeypatch, tmp_path) -> None:
    """Go to another machine, on which nothing may be fitted."""
    monkeypatch.setenv("COMPENDIUM_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(
        "compendium.runs.execution.fit", lambda *_, **__: pytest.fail("fitted again")
    )


def files(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def of_stnet(design: comparison.Design) -> list:
    """The runs of ST-Net on the first fold."""
    return [run for key, run in design.groups["fits"] if key == "stnet"][:2]


def test_a_chapter_is_computed_from_published_fits_and_none_is_fitted_again(
    checkout, monkeypatch, tmp_path
):
    design = plan(monkeypatch)
    fitted = computed(design)
    report = publishing.publish("tiny")
    distinct = {published.folder(tmp_path, run, SECTIONS) for run in runs_of(design)}
    assert len(report.added) == len(distinct) and report.unfinished == 0
    assert report.chapters == [CHAPTER] and (checkout / "tiny" / CHAPTER / "facts.json").exists()
    elsewhere(monkeypatch, tmp_path)
    again = computed(design)
    assert again.facts["published"] == again.facts["records"] == fitted.facts["records"]
    apart = differences(again, fitted)
    drawn = {"tissue": 0.1, "curves": 0.01}  # predicted values; losses of 5 digits
    drawn |= {"matched": 0.009}  # single draws
    for name, each in apart.items():
        assert each.largest <= drawn.get(name, 0.004), name
    for name in ("cost", "attainable"):
        assert apart[name].largest == 0
    before = files(checkout)
    assert publishing.publish("tiny").added == []
    runs = {name: bytes for name, bytes in before.items() if name.startswith("runs")}
    assert runs.items() <= files(checkout).items()


def runs_of(design: comparison.Design) -> list:
    return [run for jobs in design.groups.values() for _, run in jobs]


def test_scores_of_each_seed_and_the_mean_prediction_come_back(checkout, monkeypatch, tmp_path):
    runs = of_stnet(plan(monkeypatch))
    fits = execute(runs, SECTIONS, device="cpu")
    before = scores(runs, fits, SECTIONS)
    publishing.publish("tiny")
    elsewhere(monkeypatch, tmp_path)
    records = execute(runs, SECTIONS, device="cpu")
    after = scores(runs, records, SECTIONS)
    assert list(after) == list(before) and (after["gene"] == before["gene"]).all()
    np.testing.assert_allclose(after["pcc"], before["pcc"], atol=0.002)
    np.testing.assert_allclose(after["rmse"], before["rmse"], rtol=0.002)
    assert not np.array_equal(after["pcc"][:12], after["pcc"][12:]), "each seed has its own"
    name = runs[0].split.test[0]
    mean = np.mean([fit.predictions[name] for fit in fits], axis=0)
    for record, fit in zip(records, fits, strict=True):
        step = np.ptp(mean, axis=0) / 60
        assert (np.abs(record.predictions[name] - mean) <= step).all()
        assert record.id == fit.id and record.facts["published"]["seeds"] == [0, 1]
        for fact in ("seconds", "trainable", "training_spots", "classes", "run", "stages", "data"):
            assert record.facts[fact] == json.loads(json.dumps(fit.facts[fact])), fact
        assert len(record.facts["curve"]) == len(fit.facts["curve"])


def test_runs_lack_a_seed_and_are_not_published(checkout, monkeypatch):
    design = plan(monkeypatch)
    first, second = execute(of_stnet(design), SECTIONS, device="cpu")
    shutil.rmtree(second.folder)
    report = publishing.publish("tiny")
    assert report.added == [] and report.chapters == []
    execute(of_stnet(design), SECTIONS, device="cpu")
    assert len(publishing.publish("tiny").added) == 1


def test_a_further_seed_joins_those_of_another_machine(checkout, monkeypatch, tmp_path):
    execute(of_stnet(plan(monkeypatch)), SECTIONS, device="cpu")
    publishing.publish("tiny")
    monkeypatch.setenv("COMPENDIUM_HOME", str(tmp_path / "elsewhere"))
    runs = [run for key, run in plan(monkeypatch, seeds=3).groups["fits"] if key == "stnet"][:3]
    records = execute(runs, SECTIONS, device="cpu")
    assert ["published" in record.facts for record in records] == [True, True, False]
    assert len(publishing.publish("tiny").added) == 1
    shutil.rmtree(records[2].folder)
    all_three = execute(runs, SECTIONS, device="cpu")
    name = runs[0].split.test[0]
    mean = np.mean([record.predictions[name] for record in records], axis=0)
    np.testing.assert_allclose(all_three[0].predictions[name], mean, atol=np.ptp(mean) / 60)


def test_the_dispersion_of_counts_is_published_too(checkout, monkeypatch, tmp_path):
    runs = [run for key, run in plan(monkeypatch, ["stimage"]).groups["fits"] if key == "stimage"]
    fits = execute(runs_of(plan(monkeypatch, ["stimage"])), SECTIONS, device="cpu")
    own = {fit.id: fit.dispersion for fit in fits}
    publishing.publish("tiny")
    elsewhere(monkeypatch, tmp_path)
    first, second = execute(runs[:2], SECTIONS, device="cpu")
    (name,) = first.dispersion
    logs = np.log2([own[each.id][name] for each in (first, second)], dtype=np.float64).mean(axis=0)
    apart = np.abs(np.log2(first.dispersion[name]) - logs)
    assert (apart <= np.maximum(logs.std(axis=0), 1e-3)).all() and logs.std() > 0
    assert (first.dispersion[name] == second.dispersion[name]).all()


@pytest.mark.parametrize("name", [published.SCORES, published.PREDICTIONS, published.FACTS])
def test_damaged_runs_are_reported_and_fitted_anew(checkout, monkeypatch, tmp_path, caplog, name):
    runs = of_stnet(plan(monkeypatch))
    execute(runs, SECTIONS, device="cpu")
    publishing.publish("tiny")
    path = published.folder(checkout / "runs", runs[0], SECTIONS) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    monkeypatch.setenv("COMPENDIUM_HOME", str(tmp_path / "elsewhere"))
    records = execute(runs, SECTIONS, device="cpu")
    assert not any("published" in record.facts for record in records)
    assert "damaged" in caplog.text and str(path.parent) in caplog.text
    assert len(publishing.publish("tiny").added) == 1, "and replaced by the new fits"


def test_stored_fits_go_first_and_published_ones_can_be_ignored(checkout, monkeypatch, tmp_path):
    runs = of_stnet(plan(monkeypatch))
    fits = execute(runs, SECTIONS, device="cpu")
    publishing.publish("tiny")
    assert [each.folder for each in execute(runs, SECTIONS)] == [each.folder for each in fits]
    elsewhere(monkeypatch, tmp_path)
    progress = Progress(runs, SECTIONS)
    assert progress.due == [] and progress.summary() == "2 runs: 0 stored, 2 published, 0 to do"
    monkeypatch.setenv(*published.IGNORED)
    assert Progress(runs, SECTIONS).due == [0, 1]
    monkeypatch.delenv(published.IGNORED[0])
    monkeypatch.setattr(versions, "SCORES", versions.SCORES + 1)
    assert Progress(runs, SECTIONS).due == [0, 1], "scored by another version"


def test_runs_without_published_predictions_refuse_to_give_any(checkout, monkeypatch, tmp_path):
    runs = [run for _, run in plan(monkeypatch).groups["matched"]][:1]
    execute(runs, SECTIONS, device="cpu")
    publishing.publish("tiny")
    elsewhere(monkeypatch, tmp_path)
    (record,) = execute(runs, SECTIONS, device="cpu")
    assert len(scores(runs, [record], SECTIONS)) == 12
    for use in (dict, lambda known: known[runs[0].split.test[0]]):
        with pytest.raises(BadInput, match="COMPENDIUM_PUBLISHED=no"):
            use(record.predictions)


def test_of_matched_sets_the_score_that_pages_print_is_published(checkout, monkeypatch, tmp_path):
    runs = [run for _, run in plan(monkeypatch).groups["matched"]][:1]
    before = scores(runs, execute(runs, SECTIONS, device="cpu"), SECTIONS)
    publishing.publish("tiny")
    elsewhere(monkeypatch, tmp_path)
    after = scores(runs, execute(runs, SECTIONS, device="cpu"), SECTIONS)
    assert list(after) == list(before) and (after.dtypes[list(TITLES)] == "float32").all()
    np.testing.assert_allclose(after["pcc"], before["pcc"], atol=0.008)
    others = ["partial", "pcc_pearson", "rmse"]
    assert before[others].notna().any().all() and after[others].isna().all(axis=None)


def test_predictions_are_of_the_groups_that_a_chapter_names(checkout, monkeypatch, tmp_path):
    design = plan(monkeypatch, methods=("mean", "permuted", "stnet"))
    plain = replace(design, predicted=())
    fits = execute(runs_of(design), SECTIONS, device="cpu")

    def predicted(report) -> set[str]:
        return {each for each in report.added if has_predictions(checkout / "runs" / each)}

    def folders(runs) -> set[str]:
        return {published.folder(Path(), run, SECTIONS).as_posix() for run in runs}

    named = [run for _, run in design.groups["fits"]]
    monkeypatch.setattr(publishing, "planned", lambda name, profile: plain)
    assert predicted(first := publishing.publish("tiny")) == set() and first.unfinished == 0
    monkeypatch.setattr(publishing, "planned", lambda name, profile: design)
    assert predicted(again := publishing.publish("tiny")) == set(again.added) == folders(named)
    seeds = plan(monkeypatch, methods=("mean", "permuted", "stnet"), seeds=3)
    more = [run for key, run in seeds.groups["fits"] if key == "stnet"]
    execute(more, SECTIONS, device="cpu")
    monkeypatch.setattr(publishing, "planned", lambda name, profile: replace(seeds, predicted=()))
    assert predicted(publishing.publish("tiny")) == folders(more), "they are not stripped of them"
    name, run = named[0].split.test[0], named[0]
    elsewhere(monkeypatch, tmp_path)
    (record,) = execute([run], SECTIONS, device="cpu")
    np.testing.assert_allclose(record.predictions[name], fits[0].predictions[name], rtol=1e-6)


def test_runs_that_no_chapter_plans_are_removed_with_their_genes(checkout, monkeypatch):
    execute(runs_of(plan(monkeypatch)), SECTIONS, device="cpu")
    before = len(publishing.publish("tiny").added)
    (checkout / "runs" / "demo" / "genes" / "0000.tsv.xz").touch()
    fewer = plan(monkeypatch, methods=("mean", "colour"))
    report = publishing.publish("tiny")
    assert report.added == [] and report.removed == before - report.kept
    left = {path.parent for path in checkout.rglob(published.FACTS)}
    assert left == {published.folder(checkout / "runs", run, SECTIONS) for run in runs_of(fewer)}
    assert len(list((checkout / "runs" / "demo" / "genes").iterdir())) == 1


def test_what_is_too_large_is_refused_and_nothing_is_written(checkout, monkeypatch):
    execute(of_stnet(plan(monkeypatch)), SECTIONS, device="cpu")
    monkeypatch.setattr(publishing, "LIMIT_MB", 0.001)
    with pytest.raises(BadInput, match="at most 0.001 MB"):
        publishing.publish("tiny")
    assert files(checkout) == {}


def test_only_a_checkout_publishes_and_only_what_was_computed(checkout, monkeypatch, tmp_path):
    with pytest.raises(BadInput, match="has not been computed here"):
        publishing.publish("tiny", [CHAPTER])
    monkeypatch.setattr(disk, "CHECKOUT", tmp_path)
    with pytest.raises(BadInput, match="clone of the repository"):
        publishing.publish("tiny")


@pytest.mark.parametrize("profile", ["demo", "her2st-subset", "visium"])
def test_a_chapter_is_planned_without_data(home, profile, capsys):
    design = planned("regclass", profile)
    assert {"fits", "permuted"} <= set(design.groups) and design.groups["fits"]
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_the_identity_of_a_run_is_the_same_in_another_home_and_on_another_device(
    home, monkeypatch, tmp_path
):
    from compendium.data.prepare import generate, open_sections

    identities = []
    for name in ("one", "two"):
        monkeypatch.setenv("COMPENDIUM_HOME", str(tmp_path / name))
        monkeypatch.chdir(tmp_path)
        generate("demo")
        sections = open_sections("demo", ["P1a", "P1b", "P2a"])
        runs = comparison.plan_runs("demo", sections, ["section-out"], ["ridge", "hist2st"])
        identities.append([store.folder(run, run.identity(sections)).name for run in runs])
    assert identities[0] == identities[1]
