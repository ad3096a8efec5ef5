"""Numbers move with a version or not at all; `make golden` renews what a raised version allows."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

import renew
import stages
from compendium import versions
from compendium.errors import BadInput
from compendium.images.augment.families import FAMILIES
from compendium.images.stain.store import STAINS
from compendium.methods import METHODS, controls, ridge_path

KNOWN = stages.keys()
ARRAYS, MADE = renew.stored()


@pytest.fixture(scope="module")
def found() -> renew.Arrays:
    return stages.compute()


@pytest.fixture(scope="module")
def wrong(found) -> dict[str, str]:
    return renew.moved(KNOWN, ARRAYS, MADE, found)


@pytest.mark.parametrize("name", KNOWN)
def test_numbers_move_with_a_version_only(name, wrong):
    assert name in ARRAYS, f"{name} is new: make golden"
    assert name not in wrong, wrong[name]
    assert stages.current(KNOWN[name]) == MADE[name], f"a version of {name} was raised: make golden"


def test_whatever_is_registered_has_a_key():
    registered = {
        "method": METHODS,
        "target": stages.TRANSFORMS,
        "augment": FAMILIES,
        "stain": STAINS,
        "spots": stages.SPOTS,
        "windows": stages.WINDOWS,
    }
    assert {
        f"{kind}/{name}" for kind, known in registered.items() for name in known
    } <= ARRAYS.keys()
    assert ARRAYS.keys() == MADE.keys() == KNOWN.keys()


# ---- a changed constant


def change_model(word, value):
    def change(method, monkeypatch):
        facts = METHODS[method]
        monkeypatch.setitem(
            METHODS, method, replace(facts, config=replace(facts.config, **{word: value}))
        )

    return change


def change_penalties(method, monkeypatch):
    for module in (controls, ridge_path):
        monkeypatch.setattr(module, "PENALTIES", np.array([300.0, 1e8]))


CHANGED = {
    "histogene": change_model("gain", 4.4),
    "hist2st": change_model("zinb", 0.5),
    "bleep": change_model("dropout", 0.2),
    "ridge": change_penalties,
}


@pytest.mark.parametrize("method", CHANGED)
def test_a_changed_constant_fails_until_the_version_of_its_method_is_raised(
    method, tmp_path, monkeypatch
):
    folder, name = shutil.copytree(renew.HERE, tmp_path / "golden"), f"method/{method}"
    CHANGED[method](method, monkeypatch)
    found = ARRAYS | stages.compute([name])
    before = (folder / "stages.npz").read_bytes(), (folder / "versions.json").read_bytes()
    with pytest.raises(
        BadInput,
        match=rf"^{name} moved: raise version in the Recipe of method {method}, then make golden$",
    ):
        renew.renew(folder, KNOWN, found)
    assert ((folder / "stages.npz").read_bytes(), (folder / "versions.json").read_bytes()) == before
    monkeypatch.setitem(
        METHODS, method, replace(METHODS[method], version=METHODS[method].version + 1)
    )
    assert set(renew.renew(folder, KNOWN, found)) == {
        key for key in KNOWN if KNOWN[key].owner == f"method {method}"
    }
    arrays, made = renew.stored(folder)
    np.testing.assert_array_equal(arrays[name], found[name])
    assert made[name] == MADE[name] | {f"method {method}": METHODS[method].version}
    assert renew.renew(folder, KNOWN, found) == []


def test_a_stage_upstream_is_named_and_its_version_allows_what_follows(tmp_path, monkeypatch):
    folder = shutil.copytree(renew.HERE, tmp_path / "golden")
    found = ARRAYS | {
        name: ARRAYS[name] + 1 for name in ("target/log1p", "method/stnet", "scores/pcc")
    }
    wrong = renew.moved(KNOWN, ARRAYS, MADE, found)
    assert wrong.keys() == {"target/log1p", "method/stnet", "scores/pcc"}
    assert all("raise INPUTS in compendium/versions.py" in line for line in wrong.values())
    monkeypatch.setattr(versions, "INPUTS", versions.INPUTS + 1)
    renewed = renew.renew(folder, KNOWN, found)
    assert {"target/log1p", "method/stnet", "scores/pcc"} <= set(renewed)
    assert not any(name.startswith(("features/", "augment/", "stain/")) for name in renewed)


def test_new_keys_are_added_and_gone_ones_removed_without_a_version(tmp_path):
    folder = shutil.copytree(renew.HERE, tmp_path / "golden")
    fewer = {name: key for name, key in KNOWN.items() if name != "stain/macenko"}
    assert renew.renew(folder, fewer, ARRAYS) == ["stain/macenko"]
    assert renew.stored(folder)[0].keys() == renew.stored(folder)[1].keys() == fewer.keys()
    assert renew.renew(folder, KNOWN, ARRAYS) == ["stain/macenko"]


def test_a_refused_renewal_ends_with_status_2_and_one_line(tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(renew.HERE, tmp_path / "golden")
    monkeypatch.setattr(renew, "HERE", folder)
    monkeypatch.setattr(
        renew, "compute", lambda: ARRAYS | {"spots/deepspace": 1 - ARRAYS["spots/deepspace"]}
    )
    assert renew.main() == 2
    assert (
        capsys.readouterr().err
        == "spots/deepspace moved: raise INPUTS in compendium/versions.py, then make golden\n"
    )
