"""One rule for all claims: enough sections, of two patients at least, and nothing below the floor."""

import pandas as pd
import pytest

from compendium.evaluation.verdict import (
    FAILS,
    FEWEST,
    HOLDS,
    PATIENTS,
    UNDECIDED,
    Claim,
    decided,
    others,
    too_few,
)


def of(patients: str) -> pd.DataFrame:
    """A section of each patient that is named, another one where it is named again; each of them twice, since a section may have several lines."""
    return pd.DataFrame(
        [{"section": f"{patient}{i}", "patient": patient} for i, patient in enumerate(patients)] * 2
    )


@pytest.mark.parametrize(
    ("patients", "why"),
    [
        ("", "0 sections of 0 patients cannot decide."),
        ("A", "1 section of 1 patient cannot decide."),
        ("AB", "2 sections of 2 patients cannot decide."),
        ("AAAA", "4 sections of 1 patient cannot decide."),
        ("AAB", ""),
        ("ABC", ""),
    ],
)
def test_what_decides_is_sections_of_two_patients(patients, why):
    found = of(patients) if patients else pd.DataFrame({"section": [], "patient": []})
    assert too_few(found) == why
    said = decided("It rains", HOLDS, "It is wet.", found)
    assert (said.verdict, said.why) == (
        (UNDECIDED, f"{why} It is wet.") if why else (HOLDS, "It is wet.")
    )
    assert (said.sections, said.patients) == (len(patients), len(set(patients)))
    assert (FEWEST, PATIENTS) == (3, 2)


def test_rows_below_the_floor_and_what_else_hinders_leave_it_open():
    assert (
        decided("It rains", FAILS, "Dry.", of("AAB"), ["Ridge", "ST-Net"]).told
        == "Undecided here. Below the floor of a result: Ridge, ST-Net. Dry."
    )
    assert (
        decided("It rains", FAILS, "Dry.", of("AAB"), hindered=["The window is shut."]).told
        == "Undecided here. The window is shut. Dry."
    )
    assert decided("It rains", FAILS, "Dry.", of("AAB")).told == "Fails here. Dry."


def test_what_so_few_patients_cannot_decide_is_said():
    assert (
        others(2)
        == "Over 2 patients an exact two-sided sign test reaches p = 0.5 at best: nothing here is decided about another patient."
    )
    assert (
        "Over 1 patient an" in others(1)
        and "p = 0.062 at best" in others(5)
        and others(6) == others(0) == ""
    ), "six patients can reach 0.031"
    assert (
        Claim("", HOLDS, "", 5, 2).rests == "5 sections of 2 patients"
        and Claim("", HOLDS, "").rests == "Not a question of patients"
    )
