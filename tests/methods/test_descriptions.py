"""Each method has one file of what pages print of it; all mistakes of a file are named at once."""

import subprocess
import sys

import pytest
import yaml

from compendium.errors import BadInput
from compendium.images.augment.families import FAMILIES
from compendium.methods import METHODS, describe, description

FILES = {path.stem for path in description.FOLDER.glob("*.yaml")} - {description.SHARED}


def test_every_method_has_a_file_and_every_file_a_method():
    assert set(METHODS) == FILES


@pytest.mark.parametrize("name", METHODS)
def test_every_file_is_read_and_filled_in(name):
    text = describe(name)
    assert text.title
    assert text.summary.endswith(".")


def test_none_is_read_before_it_is_asked_for():
    code = "import compendium.runs as _; from compendium.methods.description import stated as s"
    code += "; assert not s.cache_info().misses"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_variant_states_what_differs_and_adds_its_deviations():
    base, variant = describe("hist2st"), describe("hist2st-resnet50")
    assert variant.deviations[: len(base.deviations)] == base.deviations
    assert len(variant.deviations) > len(base.deviations)
    assert variant.loss == base.loss
    assert variant.title != base.title


def test_every_shared_part_is_named_by_several_files():
    texts = [(description.FOLDER / f"{name}.yaml").read_text(encoding="utf-8") for name in FILES]
    shared = yaml.safe_load((description.FOLDER / "shared.yaml").read_text(encoding="utf-8"))
    for name in (*shared["flow"], *shared["deviations"]):
        assert sum(f"  - {name}\n" in text for text in texts) > 1, name


def test_the_views_of_hist2st_are_those_of_its_family():
    assert describe("hist2st").augmentation.endswith(FAMILIES["hist2st"].summary)


@pytest.fixture
def wrong(tmp_path, monkeypatch):
    """Write another file of Hist2ST and return what it is refused with."""
    shared = (description.FOLDER / "shared.yaml").read_text(encoding="utf-8")
    (tmp_path / "shared.yaml").write_text(shared, encoding="utf-8")
    monkeypatch.setattr(description, "FOLDER", tmp_path)
    _forget()

    def refused(text: str, file: str = "hist2st") -> str:
        (tmp_path / f"{file}.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(BadInput) as error:
            describe("hist2st")
        assert "\n" not in str(error.value)
        return str(error.value)

    yield refused
    _forget()


def _forget() -> None:
    description.stated.cache_clear()
    description._shared.cache_clear()


def test_all_mistakes_are_in_one_answer(wrong):
    found = wrong(
        "title: 3\nsumary: x\ndeviations: none\n"
        "flow:\n  - zinb\n  - zimb\n  - {part: heads, title: a}\n"
    )
    for mistake in (
        "title input",
        "summary field",
        "sumary",
        "flow.1",
        "flow.2.part",
        "deviations",
    ):
        assert mistake in found
    assert "flow.0" not in found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "states nothing"),
        ("title: [", "is not YAML"),
        ("like: hist3st\n", "method hist3st has no description; write"),
        ("title: a\nsummary: b.\nloss: '{zimb} x'\n", "fills in 'zimb'; known: width"),
        ("title: a\nsummary: b.\nloss: '{zinb'\n", "fills in expected '}'"),
        ("title: a\nsummary: b.\nloss: '{zinb.x}'\n", "fills in {zinb.x}"),
        ("title: a\nsummary: b.\nloss: '{zinb[0]}'\n", "fills in {zinb[0]}"),
        ("title: a\nsummary: b.\nloss: '{zinb!r}'\n", "fills in {zinb}"),
        ("title: a\ntitle: b\nsummary: c.\n", "hist2st.yaml is not YAML (line 2: "),
        ("like: hist2st\n", "hist2st is like hist2st"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(wrong, text, message):
    assert message in wrong(text)


def test_a_circle_of_likenesses_is_told_with_the_names_in_it(wrong):
    (description.FOLDER / "regclass.yaml").write_text("like: bleep\n")
    (description.FOLDER / "bleep.yaml").write_text("like: regclass\n")
    assert "hist2st is like regclass is like bleep is like regclass;" in wrong("like: regclass\n")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("flow: [loss]\n", "flow"),
        ("flow: {loss: a loss}\n", "flow.loss"),
        ("flow: {loss: {part: loss}}\n", "flow.loss.title"),
        ("flow: {loss: {part: loss, title: loss, colour: red}}\n", "flow.loss.colour"),
        ("deviations:\n", "deviations"),
        ("deviations: {seeds: {what: a, here: [b], paper: c}}\n", "deviations.seeds.here"),
        ("steps: {}\n", "steps"),
    ],
)
def test_mistakes_of_the_shared_parts_are_told_as_theirs(wrong, text, where):
    method = "title: a\nsummary: b.\nflow: [loss]\n"
    (description.FOLDER / "hist2st.yaml").write_text(method)
    assert f"{description.FOLDER / 'shared.yaml'}: {where} " in wrong(text, "shared")
