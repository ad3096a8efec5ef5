"""The augmentation chapter: rows, differences, colours, and what another seed decides."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from compendium.chapters.augmentation import catalogue, figures, findings
from compendium.chapters.augmentation import design as plan
from compendium.chapters.augmentation import results as augmentation
from compendium.chapters.augmentation.design import (
    AGAIN,
    GROUPS,
    MAIN,
    OFF,
    PLAIN,
    STAIN,
    STAIN_RIDGE,
    VIEWS,
    check_names,
)
from compendium.chapters.augmentation.design import rows as compared
from compendium.data.partition import partition
from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.comparison import compute
from compendium.evaluation.findings import decide_all
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Verdict
from compendium.images.augment.families import FAMILIES
from compendium.images.stain.colour_spaces import lab
from compendium.images.stain.store import STAINS
from compendium.runs import plan_run
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
ROLES = {"training": ["S1"], "validation": ["S2"], "test": ["S3", "S4"]}


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
    assert list(catalogue.TITLES) == list(STAINS)
    assert len(set(catalogue.TITLES.values())) == len(STAINS)
    maps = catalogue.stain_maps(["macenko"]).set_index("name")
    assert (
        maps["stain map"].to_dict() == catalogue.TITLES == {name: titles[name] for name in STAINS}
    )
    assert maps.index[maps["compared"]].tolist() == ["macenko"]
    assert titles["macenko-alone"] == "Macenko (training only)"
    table = catalogue.families(["bleep"])
    assert dict(zip(table["name"], table["family"], strict=True)) == {
        name: family.title for name, family in FAMILIES.items() if family.operations
    }
    assert set(table.loc[table["compared"], "name"]) == {"bleep"}


@pytest.mark.parametrize(
    ("was", "now", "where"),
    [
        ("  macenko: Macenko\n", "", "titles.macenko "),
        ("  macenko: Macenko\n", "  macenko:\n", "titles.macenko "),
        ("titles:", "titles:\n  macenco: Macenko", "titles.macenco "),
        ("  Vahadane: nearly white\n", "", "tinted background.Vahadane "),
        ("  Vahadane: nearly white\n", "  vahadane: white\n", "tinted background.vahadane "),
        ("tinted background:", "background:", "tinted background "),
    ],
)
def test_texts_that_do_not_cover_the_stain_maps_are_refused(tmp_path, was, now, where):
    text = Path(catalogue.__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    assert text.count(was) == 1
    (tmp_path / "catalogue.yaml").write_text(text.replace(was, now), encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        catalogue.read_texts(tmp_path / "catalogue.yaml")
    assert where in str(refused.value) and "\n" not in str(refused.value)


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


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPENDIUM_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setattr(comparison, "open_sections", lambda cohort, names: SECTIONS)
        patch.setattr(comparison, "placed", lambda cohort, names: SECTIONS)
        shared = {"panel": "all", "encoder": "colour", "budget": "smoke", "tile_px": 16, "seed": 0}
        named = (["stnet"], ["macenko", "randstainna"], 2)
        design = plan.design("demo", ROLES, *named, **shared)
        yield compute(design, augmentation.tables, "cpu")


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
    met = found["criterion"].set_index("row")["result"]
    assert set(met.index[met]) == {
        f"{STAIN_RIDGE}:{name}" for name in (PLAIN, "macenko", "randstainna", "macenko-alone")
    }
    assert found.facts["records"] == len(found.facts["titles"]) + 3, "three permuted controls"


def test_differences_are_to_the_reference_of_the_group(found):
    mean = found["sections"].set_index(["row", "section"])["mean"]
    differences = found["differences"]
    every_gene = differences["genes"] == 12  # ridge misses genes that it cannot predict
    assert every_gene[differences["group"] == MAIN].all()
    for line in differences[every_gene].itertuples():
        reference = f"{MAIN}:stnet" if line.row == f"{MAIN}:{AGAIN}" else f"{line.group}:{PLAIN}"
        assert line.difference == pytest.approx(
            mean[line.row, line.section] - mean[reference, line.section], abs=1e-6
        )


def test_tile_colours_are_what_a_row_is_shown(found):
    shown = found["tile_colours"].set_index(["name", "section"])
    colour = {
        section.name: lab(section.stored_tiles[:, ::8, ::8]).reshape(-1, 3).mean(axis=0)
        for section in SECTIONS
    }
    for name, section in shown.index:
        changed = (
            name == "macenko"
            and section != "S1"
            or name in ("macenko-alone", "randstainna")
            and section == "S1"
        )
        if not changed and name != "macenko":
            np.testing.assert_allclose(
                shown.loc[(name, section), ["L", "a", "b"]].astype(float),
                colour[section],
                rtol=1e-4,
            )
    far = (
        found["tile_colours"][found["tile_colours"]["role"] == "test"]
        .groupby("name")["distance"]
        .mean()
    )
    assert far["macenko"] < far[PLAIN] / 2
    assert (
        found["tile_colours"].query("role == 'training'")["distance"].max() == 0
    )  # one training section is its own centre


def test_the_spread_is_fitted_on_training_beside_the_published_one(found):
    spread = found["spread"]
    assert len(spread) == 6 and spread["published location"].tolist()[:3] == [
        192.095,
        144.19,
        120.704,
    ]
    assert not np.allclose(spread["location"], spread["published location"])


def test_every_row_of_a_method_is_compared_with_its_one_control():
    split = partition(SECTIONS, *ROLES.values()).split
    words = {"sections": SECTIONS, "panel": "all", "encoder": "colour"}
    jobs = [
        (f"{MAIN}:{name}", plan_run("tiny", split, "stnet", augment=name, **words))
        for name in (PLAIN, "bleep")
    ]
    fit = {"fold": "f", "section": "S"}
    own = pd.DataFrame(
        [
            fit | {"row": key, "seed": seed, "pcc": pcc + seed / 100}
            for (key, _), pcc in zip(jobs, (0.2, 0.3), strict=True)
            for seed in (0, 1)
        ]
    )
    for permuted, result in ((0.1, [True, True]), (0.25, [False, True])):
        control = pd.DataFrame([fit | {"row": f"{MAIN}:{PLAIN}", "seed": 0, "pcc": permuted}])
        lines = augmentation.criterion(own, control, jobs)
        assert lines["result"].tolist() == result


def lines(group: str, **rows: tuple[float, float, float]) -> pd.DataFrame:
    """Three sections a role; values: all of validation, one test section, the other two."""
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


def test_rows_are_averaged_by_patient_and_one_fit_decides_nothing():
    rows = {"again": (9, 9, 9), "off": (9, 9, 9), "a": (0.02, 0.03, 0.01), "b": (0.0, 0.01, 0.03)}
    table = lines(STAIN, **rows)
    met = pd.DataFrame({"row": [f"{STAIN}:a"], "result": [True]})
    results = Results({"differences": table, "criterion": met}, {})
    (finding,) = (each for each in findings.FINDINGS if each.id == "stain-hist2st")
    outcome = decide_all([finding], results)[finding.id]
    assert (outcome.verdict, outcome.patients) == (Verdict.UNDECIDED, 6)
    assert outcome.statistic == pytest.approx((3 * 0.01 + 0.02 + 2 * 0.02) / 6)
    assert outcome.limits == ("all test sections share one fit",)
    described = augmentation.by_patient(table)
    assert len(described) == 4
    test_a = described.query("name == 'a' and role == 'test'").iloc[0]
    assert test_a["difference"] == pytest.approx((0.03 + 0.01 + 0.01) / 3)
    met["result"] = False
    assert len(decide_all([finding], results)[finding.id].limits) == 2


def test_ridge_and_distilled_rows_are_held_to_hist2sts_other_seed():
    table = pd.concat(
        [
            lines(STAIN, again=(0.01, -0.02, 0.0)),
            lines(MAIN, again=(0.001, 0.0, 0.0)),
            lines(STAIN_RIDGE, a=(0.1, 0.1, 0.1)),
            lines(VIEWS, a=(0.1, 0.1, 0.1)),
        ]
    )
    assert [
        augmentation.seed_band(table, group) for group in (VIEWS, MAIN, STAIN, STAIN_RIDGE)
    ] == [
        0.02,
        0.001,
        0.02,
        0.02,
    ]


def test_every_figure_shows_its_rows(found):
    for group in GROUPS:
        (box, *_), (difference, *_, drawn) = figures.of_group(
            found, group
        )  # the panel has one part
        rows = found["boxes"].query("group == @group")["row"].nunique()
        assert [len(each.x) for each in box.data] == [rows] * 2
        assert sum(len(trace.x) for trace in difference.data) == len(drawn)
        assert {shape.type for shape in difference.layout.shapes} == {"line", "rect"}
    panels = found["panels"]
    both = [panels.assign(panel=name) for name in ("one", "two")]
    parts = pd.concat(both, ignore_index=True)
    several = Results(dict(found.tables) | {"panels": parts}, found.facts)
    assert [each[1] for each in figures.of_group(several, MAIN)] == [
        "main-boxes",
        "main-differences",
        "main-by-panel",
    ]
    colours = found["tile_colours"]
    drawn = figures.colour_distances(colours, {name: name for name in colours["name"]})
    assert sum(len(trace.x) for trace in drawn.data) == len(colours)


def test_the_page_names_its_numbers_and_rows(found):
    numbers = augmentation.page_numbers(found)
    assert (numbers["training_sections"], numbers["test_sections"]) == ("S1", "S3, S4")
    assert (numbers["views"], numbers["next_seed"]) == (2, 1)
    assert numbers["band_stain"] == augmentation.seed_band(found["differences"], STAIN)
    assert {"stnet", "macenko"} <= augmentation.compared(found)
    assert "bleep" not in augmentation.compared(found)
    assert augmentation.stain_titles(found)["macenko-alone"] == "Macenko (training only)"
    titles = augmentation.full_titles(found)
    assert titles["stain-ridge:macenko"] == "stains, ridge: Macenko"
    assert titles["stain:macenko"] == "stains, Hist2ST: Macenko (preliminary)"


def test_the_figure_of_tiles_holds_one_tile_in_every_form():
    sections = [
        dataclasses.replace(
            each, stored_tiles=np.repeat(np.repeat(each.stored_tiles, 2, axis=1), 2, axis=2)
        )
        for each in SECTIONS[:1]
    ]
    shown = figures.variants(sections[0], sections)
    assert [title for _, title, _ in shown] == [
        "as it is",
        *(family.title for name, family in FAMILIES.items() if name != "none"),
        *catalogue.TITLES.values(),
    ]
    assert all(image.shape == (32, 32, 3) and image.dtype == np.uint8 for *_, image in shown)
    fig = figures.tiles(shown)
    assert (
        len(fig.layout.images)
        == len(fig.layout.annotations)
        == len(shown)
        == len(figures.mean_colours(shown))
    )
    again = figures.variants(sections[0], sections)
    assert all(np.array_equal(one[2], other[2]) for one, other in zip(shown, again, strict=True))


def test_tiles_are_of_the_pages_sections_or_of_synthetic_ones_where_an_image_is_missing(home):
    roles = {"S1": "training", "S2": "validation", "S3": "test", "S4": "test"}
    here = {section.name: section for section in SECTIONS}
    assert figures.shown_sections(here | {"S2": None, "S4": None}, roles) == (
        [here["S1"]],
        here["S3"],
        "",
    )
    for missing in (
        here | {"S1": None},
        here | {"S3": dataclasses.replace(here["S3"], stored_tiles=None)},
        dict.fromkeys(here),
    ):
        train, test, source = figures.shown_sections(missing, roles)
        assert [each.cohort for each in (*train, test)] == ["demo", "demo"] and train[
            0
        ].lab != test.lab
        assert source.startswith(
            f"cohort demo, sections {train[0].name} and {test.name}, not those of this page · "
            "data demo "
        )


def test_the_tile_with_the_most_contrast_is_shown():
    patches = np.full((24, 16, 16, 3), 200, dtype=np.uint8)
    patches[5, :8] = 20
    section = dataclasses.replace(SECTIONS[0], stored_tiles=patches)
    assert np.array_equal(figures.variants(section, SECTIONS[:1])[0][2], patches[5])


def test_a_section_that_lies_nowhere_is_refused(monkeypatch):
    monkeypatch.setattr(comparison, "placed", lambda cohort, names: [tiny_section("S1")])
    message = refusal(lambda: plan.design("demo", ROLES, panel="all", budget="smoke", seed=0))
    assert "section S2 of validation is not among S1" in message
