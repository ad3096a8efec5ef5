"""What chapters compute, on tiny sections: every table that their pages draw, with the rows that it must have."""

import pytest

from compendium.chapters.encoders import results as encoder_rows
from compendium.chapters.regclass import results as regclass
from compendium.errors import BadInput
from conftest import tiny_section

SECTIONS = [
    *(tiny_section(name, px=224, labelled=True) for name in ("S1", "S2")),
    tiny_section("S3", patient="P2", px=224, labelled=True),
]
WORDS = {"panel": "all", "encoder": "colour", "weights": "", "budget": "smoke", "seed": 0}


@pytest.fixture(autouse=True)
def sections(home, monkeypatch):
    for study in (encoder_rows, regclass):
        monkeypatch.setattr(study, "open_sections", lambda cohort, names: SECTIONS)


def classify(**changed):
    words = {
        "rules": ["patient-out"],
        "tested": ["S3"],
        "gammas": [0, 1.0],
        "gamma": 1.0,
        "epochs": 2,
        "device": "cpu",
    }
    return regclass.study("demo", None, **words | changed, **WORDS)


def test_the_sweep_holds_all_that_its_page_draws():
    found = classify()
    assert found["sweep"]["permuted"].tolist() == [False, False, False, True] and found["sweep"][
        "gamma"
    ].fillna(-1).tolist() == [-1, 0, 1, 1]
    assert (
        found["by_class"]["section"].unique().tolist()
        == found["confusion"]["section"].unique().tolist()
        == ["S3"]
    )
    assert found["confusion"]["spots"].sum() == found["by_class"]["spots"].sum() <= 24
    assert (
        set(found["curves"]["method"])
        == set(found["cost"]["row"])
        == {"Hist2ST", "γ = 0", "γ = 1", "γ = 1, twin"}
    )
    assert found.facts["changed"]["epochs"].startswith("2 instead of") and found.facts["smoke"]
    assert len(found["labels"]) == 3 and found["transfer"].empty
    assert (
        found["panels"]["method"].tolist() == ["Hist2ST", "γ = 0", "γ = 1"]
        and (found["panels"]["values"] == 12).all()
    ), "twins have no box"


@pytest.mark.parametrize(("changed", "said"), [
    ({"tested": ["S9"]}, "not among S1, S2, S3"), ({"gamma": 2.0}, r"gamma 2 is not among the gammas above 0 \(0, 1\)"), ({"gamma": 0}, "gamma 0"),
])  # fmt: skip
def test_a_sweep_that_cannot_be_is_refused(changed, said):
    with pytest.raises(BadInput, match=said):
        classify(**changed)


def test_encoders_hold_all_that_their_page_draws(monkeypatch):
    rows = {row.key: row for row in encoder_rows.rows({}, 1, 1)}
    some = [
        encoder_rows.Row(
            key, rows[key].title, rows[key].parameters | {"encoder": "colour", "tile_px": 32}
        )
        for key in ("frozen", "ridge")
    ]
    monkeypatch.setattr(encoder_rows, "rows", lambda others, mixer_epochs, tuned_epochs: some)
    found = encoder_rows.study(
        "demo",
        None,
        ["P1"],
        [],
        ["resnet999"],
        [],
        1,
        1,
        "cpu",
        panel="all",
        budget="smoke",
        seed=0,
    )
    assert found["scores"].groupby("row").size().to_dict() == {"frozen": 12, "ridge": 12} and found[
        "scores"
    ]["section"].unique().tolist() == ["S3"]
    assert (
        list(found.facts["left_out"]) == ["resnet999"]
        and found.facts["others"] == []
        and found.facts["trained_on"] == "P1"
    )
    assert found["floor"]["result"].tolist() == [False, True] and found["cost"]["row"].tolist() == [
        "frozen",
        "ridge",
    ]
