"""The augmentation chapter: rows that differ in one thing, differences to the reference of a group, colours, and what another seed decides."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from compendium.chapters.augmentation import figures as augmentation_figures
from compendium.chapters.augmentation import findings as discernible
from compendium.chapters.augmentation import image_names
from compendium.chapters.augmentation import results as augmentation
from compendium.chapters.augmentation.results import (
    AGAIN,
    GROUPS,
    MAIN,
    OFF,
    PLAIN,
    STAIN,
    STAIN_RIDGE,
    VIEWS,
    check_names,
    compared,
    left_out,
)
from compendium.evaluation.verdict import FAILS, HOLDS, UNDECIDED
from compendium.images.augment.families import FAMILIES
from compendium.images.stain.colour_spaces import lab
from compendium.images.stain.store import STAINS
from compendium.runs.run import plan_run
from conftest import tiny_section
from raw_files import refusal
from stained_slides import OTHER, E, H, pictured, slide

SECTIONS = [
    pictured("S1", slide(np.array([H, E])), "P1"),
    pictured("S2", slide(np.array([H, E]), seed=3), "P2"),
    *(
        dataclasses.replace(pictured(name, slide(OTHER, seed=seed), "P3"), lab="L2")
        for name, seed in (("S3", 1), ("S4", 2))
    ),
]
PARTS = (["S1"], ["S2"], ["S3", "S4"])


def test_rows_of_a_group_differ_from_its_reference_in_what_their_name_says():
    rows = {
        row.key: dict(row.parameters)
        for row in compared(["stnet", "bleep"], ["reinhard", "hed-light"], 3, 7)
    }
    for group, word in (
        (VIEWS, "view"),
        (MAIN, "augment"),
        (STAIN, "stain"),
        (STAIN_RIDGE, "stain"),
    ):
        plain = rows[f"{group}:{PLAIN}"]
        assert plain[word] == "none"
        for name in ("stnet", "bleep") if group in (VIEWS, MAIN) else ("reinhard", "hed-light"):
            assert rows[f"{group}:{name}"] == plain | {word: name}
        if group in (STAIN, STAIN_RIDGE):
            assert (
                rows[f"{group}:reinhard-alone"]
                == plain | {"stain": "reinhard", "stain_test": False}
                and f"{group}:hed-light-alone" not in rows
            )
    assert rows[f"{VIEWS}:{PLAIN}"] == rows[f"{VIEWS}:{OFF}"] | {
        "distill": 0.5,
        "views": 3,
        "view": "none",
    }
    assert rows[f"{STAIN}:{PLAIN}"] == rows[f"{VIEWS}:{OFF}"] | {"stain": "none"}
    assert rows[f"{STAIN}:{AGAIN}"] == rows[f"{VIEWS}:{OFF}"] | {"seed": 8}
    assert rows[f"{MAIN}:{AGAIN}"] == rows[f"{MAIN}:stnet"] | {"seed": 8}


def test_a_stain_map_has_one_name_in_rows_and_tables():
    titles = {
        row.key.partition(":")[2]: row.title
        for row in compared(["stnet"], list(STAINS), 3, 7)
        if row.key.startswith(f"{STAIN}:")
    }
    assert list(image_names.TITLES) == list(STAINS) and len(
        set(image_names.TITLES.values())
    ) == len(STAINS)
    assert (
        {row["word"]: row["stain map"] for row in image_names.maps()}
        == image_names.TITLES
        == {word: titles[word] for word in STAINS}
    )
    assert titles["macenko-alone"] == "Macenko (training only)"
    assert {(row["word"], row["family"]) for row in image_names.families()} == {
        (name, family.title) for name, family in FAMILIES.items() if family.operations
    }


def test_names_are_those_that_are_known_and_all_where_none_is_given():
    assert check_names("families", [], FAMILIES) == [name for name in FAMILIES if name != "none"]
    assert check_names("stains", ["macenko"], STAINS) == ["macenko"]
    assert (
        refusal(lambda: check_names("stains", ["makenko"], STAINS))
        == f"stains names 'makenko'; did you mean macenko? known: {', '.join(STAINS)}"
    )
    assert refusal(lambda: check_names("families", ["histogen"], FAMILIES)).startswith(
        "families names 'histogen'; did you mean histogene? known: stnet, histogene, "
    )
    assert refusal(lambda: check_names("families", ["zzz"], FAMILIES)).startswith(
        "families names 'zzz'; known: stnet, "
    )
    assert "'none'; " in refusal(lambda: check_names("families", ["none"], FAMILIES))


def test_a_caption_names_what_is_not_compared():
    titles = {row.key: row.title for row in compared(["stnet", "bleep"], list(STAINS), 3, 7)}
    told = left_out(titles, MAIN, "profile demo")
    assert told.startswith(
        f" Left out by profile demo, {len(FAMILIES) - 3} of {len(FAMILIES) - 1} families: HisToGene; Hist2ST; "
    )
    assert (
        "ST-Net" not in told
        and "BLEEP" not in told
        and told == left_out(titles, VIEWS, "profile demo")
    )
    assert left_out(titles, STAIN, "x") == left_out(titles, STAIN_RIDGE, "x") == ""
    assert (
        left_out({key: title for key, title in titles.items() if "macenko" not in key}, STAIN, "x")
        == f" Left out by x, 1 of {len(STAINS)} stains: Macenko."
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPENDIUM_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setattr(
            augmentation,
            "open_sections",
            lambda cohort, names: [section for section in SECTIONS if section.name in names],
        )
        patch.setattr(augmentation, "LONG", {"epochs": 4})
        words = {"panel": "all", "encoder": "colour", "budget": "smoke", "tile_px": 16, "seed": 0}
        return augmentation.study(
            "tiny", *PARTS, ["stnet"], ["macenko", "randstainna"], 2, "cpu", **words
        )


def test_every_row_is_fitted_on_training_and_scored_in_both_other_roles(found):
    boxes, apart = found["boxes"], found["differences"]
    assert set(boxes["row"]) == set(found.facts["titles"]) and set(boxes["role"]) == {
        "validation",
        "test",
    }
    assert found.facts["roles"] == {
        "S1": "training",
        "S2": "validation",
        "S3": "test",
        "S4": "test",
    }
    assert (found.facts["validation_is"], found.facts["test_is"]) == (
        "another patient of the same laboratory",
        "another laboratory",
    )
    assert apart.groupby("row").size().eq(3).all()
    assert not set(apart["name"]) & {PLAIN} and set(boxes["group"]) == set(GROUPS)
    pd.testing.assert_frame_equal(
        found["panels"].drop(columns="panel"), boxes
    )  # the panel has one part
    assert set(found["panels"]["panel"]) == {"all"}
    assert set(found["floor"].set_index("row")["result"].loc[lambda said: said].index) == {
        f"{STAIN_RIDGE}:{name}" for name in (PLAIN, "macenko", "randstainna", "macenko-alone")
    }
    assert found.facts["records"] == len(found.facts["titles"]) + 3  # three twins


def test_differences_are_to_the_reference_of_the_group(found):
    mean = found["sections"].set_index(["row", "section"])["mean"]
    for line in found["differences"].itertuples():
        reference = f"{MAIN}:stnet" if line.row == f"{MAIN}:{AGAIN}" else f"{line.group}:{PLAIN}"
        assert line.difference == pytest.approx(
            mean[line.row, line.section] - mean[reference, line.section], abs=1e-6
        )


def test_looks_are_what_a_row_is_shown(found):
    looks = found["looks"].set_index(["name", "section"])
    colour = {
        section.name: lab(section.patches[:, ::8, ::8]).reshape(-1, 3).mean(axis=0)
        for section in SECTIONS
    }
    for name, section in looks.index:
        changed = (
            name == "macenko"
            and section != "S1"
            or name in ("macenko-alone", "randstainna")
            and section == "S1"
        )
        if not changed and name != "macenko":
            np.testing.assert_allclose(
                looks.loc[(name, section), ["L", "a", "b"]].astype(float),
                colour[section],
                rtol=1e-4,
            )
    far = found["looks"][found["looks"]["role"] == "test"].groupby("name")["distance"].mean()
    assert far["macenko"] < far[PLAIN] / 2
    assert (
        found["looks"].query("role == 'training'")["distance"].max() == 0
    )  # one training section is its own centre


def test_the_spread_is_fitted_on_training_beside_the_published_one(found):
    spread = found["spread"]
    assert len(spread) == 6 and spread["published location"].tolist()[:3] == [
        192.095,
        144.19,
        120.704,
    ]
    assert not np.allclose(spread["location"], spread["published location"])


def test_no_row_of_a_method_is_a_result_where_its_plain_row_does_not_pass_its_twin():
    split = augmentation.partition(SECTIONS, *PARTS).split
    words = {"sections": SECTIONS, "panel": "all", "encoder": "colour"}
    jobs = [
        (f"{MAIN}:{name}", plan_run("tiny", split, "stnet", augment=name, **words))
        for name in (PLAIN, "bleep")
    ]
    own = pd.DataFrame({"row": [key for key, _ in jobs], "pcc": [0.2, 0.3]})
    for twin, result in ((0.1, True), (0.2, False)):
        lines = augmentation.floor(
            own, pd.DataFrame({"row": [f"{MAIN}:{PLAIN}"], "pcc": [twin]}), jobs
        )
        assert lines["result"].tolist() == [result, result]


# ---- what is discernible


def lines(group: str, **rows: tuple[float, float, float]) -> pd.DataFrame:
    """Three sections a role; the first value is that of all of validation, the second of one test section, the third of the other two."""
    roles = [
        *((f"V{i}", "validation", 0) for i in (1, 2, 3)),
        ("T1", "test", 1),
        ("T2", "test", 2),
        ("T3", "test", 2),
    ]
    return pd.DataFrame(
        [
            {
                "group": group,
                "name": name.replace("_", "-"),
                "section": section,
                "patient": section,
                "role": role,
                "difference": values[which],
            }
            for name, values in rows.items()
            for section, role, which in roles
        ]
    )


def test_a_difference_counts_beyond_what_another_seed_moves_in_every_section():
    table = lines(
        STAIN,
        again=(0.01, -0.02, 0.0),
        off=(1, 1, 1),
        a=(0.03, 0.03, 0.01),
        b=(-0.03, -0.021, -0.05),
        c=(0.02, 0.5, -0.5),
    )
    assert discernible.chance(table, STAIN) == 0.02
    assert discernible.beyond(table, STAIN, "validation") == (["a"], ["b"])
    assert discernible.beyond(table, STAIN, "test") == ([], ["b"])
    titles = {f"{STAIN}:{name}": name.upper() for name in "abc"}
    said = discernible.claim(table, STAIN, titles)
    assert said.verdict == FAILS and said.why == (
        "In every section of a role further from the reference than another seed moves it (0.020) lie, in validation “A” above and “B” below; in test “B” below."
    )
    calm = discernible.claim(table[table["name"].isin(["again", "c"])], STAIN, titles)
    assert calm.verdict == UNDECIDED and "in validation none; in test none" in calm.why, (
        "sections disagree by more than another seed moves"
    )
    still = table[table["name"].isin(["again", "a"])].assign(
        difference=lambda lines: lines["difference"].clip(-0.02, 0.02)
    )
    assert discernible.claim(still, STAIN, titles).verdict == HOLDS
    every = discernible.claim(
        lines(STAIN, again=(0.01, -0.02, 0.0), a=(0.03, 0.03, 0.03), b=(0.04, 0.03, 0.01)),
        STAIN,
        titles,
    ).why
    assert every.endswith("lie, in validation all 2 above; in test “A” above.")
    assert discernible.claim(table, STAIN, titles, ["B"]).told.startswith(
        "Undecided here. Below the floor of a result: B."
    )


@pytest.mark.parametrize(
    ("left", "patients", "says"),
    [
        (("V1", "T1"), {}, "2 sections of 2 patients cannot decide."),
        (("V1", "V2", "T1", "T2"), {}, "In validation 2 sections of 2 patients cannot decide."),
        (
            ("V1", "V2", "V3", "T1", "T2", "T3"),
            {"V": "A", "T": "B"},
            "In test 3 sections of 1 patient cannot decide.",
        ),
    ],
)
def test_a_role_of_too_few_sections_or_of_one_patient_decides_nothing(left, patients, says):
    table = lines(STAIN, again=(0.01, -0.02, 0.0), b=(-0.03, -0.021, -0.05))
    table = table[table["section"].isin(left)].assign(
        patient=lambda found: found["section"].map(lambda name: patients.get(name[0], name))
    )
    said = discernible.claim(table, STAIN, {f"{STAIN}:b": "B"})
    assert said.verdict == UNDECIDED and says in said.why


def test_ridge_and_distilled_rows_are_held_to_hist2sts_other_seed():
    table = pd.concat(
        [
            lines(STAIN, again=(0.01, -0.02, 0.0)),
            lines(MAIN, again=(0.001, 0.0, 0.0)),
            lines(STAIN_RIDGE, a=(0.1, 0.1, 0.1)),
            lines(VIEWS, a=(0.1, 0.1, 0.1)),
        ]
    )
    assert [discernible.chance(table, group) for group in (VIEWS, MAIN, STAIN, STAIN_RIDGE)] == [
        0.02,
        0.001,
        0.02,
        0.02,
    ]


def test_the_highest_median_is_told_by_role():
    names, medians = ["a", "b", "again"] * 2, [0.1, 0.2, 0.9, 0.3, 0.1, 0.9]
    table = pd.DataFrame(
        {
            "row": [f"m:{name}" for name in names],
            "name": names,
            "role": ["validation"] * 3 + ["test"] * 3,
            "median": medians,
        }
    )
    assert (
        discernible.highest(table, {"m:a": "A", "m:b": "B"})
        == "in validation B, 0.200; in test A, 0.300"
    )


# ---- figures


def test_every_figure_shows_its_rows(found):
    titles = found.facts["titles"]
    for group in (VIEWS, MAIN, STAIN, STAIN_RIDGE):
        boxes, apart = (
            found[name][found[name]["group"] == group] for name in ("boxes", "differences")
        )
        assert [len(box.x) for box in augmentation_figures.boxes(boxes, titles).data] == [
            boxes["row"].nunique()
        ] * 2
        fig = augmentation_figures.apart(
            apart, titles, discernible.chance(found["differences"], group)
        )
        assert sum(len(trace.x) for trace in fig.data) == len(apart)
        assert {shape.type for shape in fig.layout.shapes} == {"line", "rect"}
    assert sum(
        len(trace.x)
        for trace in augmentation_figures.distances(
            found["looks"], {name: name for name in found["looks"]["name"]}
        ).data
    ) == len(found["looks"])


def test_the_plate_holds_one_tile_through_everything():
    sections = [
        dataclasses.replace(each, patches=np.repeat(np.repeat(each.patches, 2, axis=1), 2, axis=2))
        for each in SECTIONS[:1]
    ]
    shown = augmentation_figures.pictures(sections[0], sections)
    assert [title for _, title, _ in shown] == [
        "as it is",
        *(family.title for name, family in FAMILIES.items() if name != "none"),
        *image_names.TITLES.values(),
    ]
    assert all(image.shape == (32, 32, 3) and image.dtype == np.uint8 for *_, image in shown)
    fig = augmentation_figures.plate(shown)
    assert (
        len(fig.layout.images)
        == len(fig.layout.annotations)
        == len(shown)
        == len(augmentation_figures.plate_data(shown))
    )
    again = augmentation_figures.pictures(sections[0], sections)
    assert all(np.array_equal(one[2], other[2]) for one, other in zip(shown, again, strict=True))


def test_the_plate_is_of_the_pages_sections_or_of_generated_ones_where_an_image_is_not_here(home):
    roles = {"S1": "training", "S2": "validation", "S3": "test", "S4": "test"}
    here = {section.name: section for section in SECTIONS}
    assert augmentation_figures.pictured(here | {"S2": None, "S4": None}, roles) == (
        [here["S1"]],
        here["S3"],
        "",
    )
    for missing in (
        here | {"S1": None},
        here | {"S3": dataclasses.replace(here["S3"], patches=None)},
        dict.fromkeys(here),
    ):
        train, test, source = augmentation_figures.pictured(missing, roles)
        assert [each.cohort for each in (*train, test)] == ["demo", "demo"] and train[
            0
        ].lab != test.lab
        assert source.startswith(
            f"cohort demo, sections {train[0].name} and {test.name}, not those of this page · data demo "
        )


def test_the_band_says_what_it_was_measured_on():
    told = {group: augmentation_figures.band_told(group, 0.0123, 4) for group in GROUPS}
    assert all(
        "0.012 to either side" in text and "one pair of seeds, 4 and 5" in text
        for text in told.values()
    )
    assert (
        "without distillation" in told[VIEWS]
        and "ridge" in told[STAIN]
        and "ridge has no seed" in told[STAIN_RIDGE]
        and "head" in told[MAIN]
    )


def test_the_tile_with_the_most_contrast_is_shown():
    patches = np.full((24, 16, 16, 3), 200, dtype=np.uint8)
    patches[5, :8] = 20
    section = dataclasses.replace(SECTIONS[0], patches=patches)
    assert np.array_equal(augmentation_figures.pictures(section, SECTIONS[:1])[0][2], patches[5])


def test_a_section_that_lies_nowhere_is_refused(monkeypatch):
    monkeypatch.setattr(augmentation, "open_sections", lambda cohort, names: [tiny_section("S1")])
    words = {"panel": "all", "budget": "smoke", "seed": 0}
    assert "section S2 of validation is not among S1" in refusal(
        lambda: augmentation.study("tiny", *PARTS, [], [], 2, "cpu", **words)
    )
