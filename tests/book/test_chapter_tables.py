"""A page is drawn from tables: computed where the sections are, kept ones where they are not."""

import pandas as pd
import pytest

from compendium import storage as disk
from compendium.book.notebook import tables as results
from compendium.book.notebook.profiles import Profile, load
from compendium.book.run.chapters import has_folder, usual
from compendium.errors import BadInput
from compendium.evaluation.results import Results, write

PROFILE = Profile("real", "Real", "her2st", ["C2"])
ASKED = {"profile": "real", "seed": 0, "device": "cpu"}
USUAL = {"loocv": {"profile": "real", "seed": 0, "device": "auto"}}


@pytest.fixture
def checkout(tmp_path, monkeypatch, home):
    """A checkout with nothing in it but its catalogue, and no section prepared."""
    data = tmp_path / "checkout" / "data"
    data.mkdir(parents=True)
    (data / "sources.yaml").write_text((disk.CHECKOUT / "data" / "sources.yaml").read_text())
    (data / "reference").mkdir()
    monkeypatch.setattr(disk, "CHECKOUT", data.parent)
    return data.parent


def made(pcc: float = 0.25):
    return Results(
        {"scores": pd.DataFrame({"method": ["ridge"], "pcc": [pcc]})},
        {"data": "her2st abc", "protocol": "clean", "device": "CPU", "stages": {}},
    )


def drawn(make, here: bool, monkeypatch, **asked):
    monkeypatch.setattr(results, "prepared_names", lambda cohort: ["C2"] if here else [])
    return results.drawn(PROFILE, "loocv", ASKED | asked, "her2st", ["C2"], "commit 1234567", make)


def publish(checkout) -> None:
    """Write the tables of the profile into the checkout, as `compendium publish` does."""
    for name, kept in results.to_publish("real", USUAL).items():
        write(checkout / "data" / "reference" / "real" / name, kept)


def never():
    raise AssertionError("computed without sections")


def test_tables_are_computed_kept_and_drawn_without_sections(checkout, monkeypatch):
    computed, line = drawn(made, True, monkeypatch)
    assert line == "" and computed["scores"]["pcc"].tolist() == [0.25]
    publish(checkout)
    kept, line = drawn(never, False, monkeypatch, device="cuda")  # the device changes no number
    assert kept["scores"].equals(computed["scores"])
    assert "drawn from the tables of the reference run, made at commit 1234567" in line


@pytest.mark.parametrize(
    ("pcc", "said"), [(0.25, "all tables are equal"), (0.5, "scores differs by up to 0.25")]
)
def test_what_is_computed_again_is_held_against_what_was_kept(checkout, monkeypatch, pcc, said):
    drawn(made, True, monkeypatch)
    publish(checkout)
    assert said in drawn(lambda: made(pcc), True, monkeypatch)[1]
    assert drawn(lambda: made(pcc), True, monkeypatch, seed=1)[1] == "", (
        "another seed is another run"
    )


@pytest.mark.parametrize(
    ("value", "others"), [([], []), (None, []), (["a"], ["new"]), (0, ["new"])]
)
def test_tables_made_before_a_parameter_are_those_of_its_open_default(value, others):
    kept = Results({}, {"parameters": {"seed": 0}})
    assert results.other_parameters({"seed": 0, "new": value}, kept) == others
    assert results.other_parameters({"seed": 1, "new": value}, kept) == ["seed", *others]


def test_other_parameters_need_the_sections(checkout, monkeypatch):
    drawn(made, True, monkeypatch)
    publish(checkout)
    with pytest.raises(
        BadInput,
        match=r"sections C2 of her2st are not prepared here, .* other values of seed; "
        r"leave these out, or run compendium fetch her2st",
    ):
        drawn(never, False, monkeypatch, seed=1)


def test_a_page_of_another_cohort_is_drawn_from_a_profile_of_that_cohort(checkout, monkeypatch):
    drawn(made, True, monkeypatch)
    publish(checkout)
    demo = Profile("demo", "Synthetic", "demo")
    monkeypatch.setattr(results, "load", lambda name: {"real": PROFILE, "demo": demo}[name])
    monkeypatch.setattr(results, "prepared_names", lambda cohort: [])
    asked = ASKED | {"profile": "demo"}
    kept, line = results.drawn(demo, "loocv", asked, "her2st", ["C2"], "commit 7654321", never)
    assert kept["scores"]["pcc"].tolist() == [0.25] and "at commit 1234567" in line
    assert results.reference_of(demo, "loocv", "wu") == ""
    assert results.reference_of(demo, "loocv", "demo") == ""
    assert results.reference_of(demo, "other", "her2st") == ""


def test_where_nothing_was_kept_the_sections_are_asked_for(checkout, monkeypatch):
    with pytest.raises(AssertionError):
        drawn(never, False, monkeypatch)


def test_only_what_was_computed_can_be_kept(checkout):
    with pytest.raises(
        BadInput,
        match="chapter loocv of profile real has not been computed here; "
        "run compendium book --profile real first",
    ):
        results.to_publish("real", USUAL)


def test_a_run_with_other_parameters_is_not_the_profiles(checkout, monkeypatch):
    drawn(made, True, monkeypatch, seed=1)
    with pytest.raises(
        BadInput, match="chapter loocv was last computed with other seed than profile real has"
    ):
        results.to_publish("real", USUAL)


@pytest.mark.parametrize("profile", results.references())
def test_what_is_kept_is_what_the_profile_asks_for(profile):
    """Otherwise its book could not be drawn without raw data."""
    for chapter in results.chapters_of(profile):
        kept = results.reference(profile, chapter)
        assert results.other_parameters(usual(chapter, profile), kept) == [], chapter


@pytest.mark.parametrize("profile", results.references())
def test_what_is_kept_is_small_whole_and_no_copy_of_the_counts(profile):
    """At most 10 MB, every chapter, and measured targets of at most twelve drawn genes."""
    folder = disk.CHECKOUT / "data" / "reference" / profile
    assert results.chapters_of(profile) == sorted(filter(has_folder, load(profile).chapters))
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 10e6
    measured = [
        chapter
        for chapter in results.chapters_of(profile)
        for table in results.reference(profile, chapter).tables.values()
        if "measured" in table
    ]
    assert len(measured) <= 12, "each such table holds one gene of one section"
