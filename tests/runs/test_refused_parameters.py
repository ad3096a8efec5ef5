"""Parameters that cannot be are refused when a run is planned, and by the classes themselves."""

import subprocess
import sys

import pytest
import torch

from compendium.data.splits import folds
from compendium.errors import BadInput
from compendium.images import encoders
from compendium.methods import recipe
from compendium.methods.bleep import retrieve
from compendium.methods.layers import ModelSpec
from compendium.methods.regclass import cross_entropy
from compendium.runs import plan_run
from conftest import tiny_section

SECTIONS = [tiny_section("S1"), tiny_section("S2", patient="P2")]
SPLIT = folds("section-out", SECTIONS)[0]
PLANNED = [
    ("stnet", {"encoder": "resnet999"}, "unknown encoder 'resnet999'"),
    (
        "stnet",
        {"encoder": "tf_efficientnet_lite0.nowhere"},
        "unknown encoder 'tf_efficientnet_lite0.nowhere'",
    ),
    ("ridge", {"weights": "absent.pth"}, "no weights file absent.pth"),
    (
        "stnet",
        {"encoder": "own", "weights": "absent.pth"},
        "no weights file absent.pth for encoder densenet121",
    ),
    ("bleep", {"temperature": 0}, "temperature=0 of method bleep must be above 0"),
    (
        "bleep",
        {"retrieval": "best"},
        "method bleep: retrieval is 'best' but must be 'simple', 'average' or 'weighted'",
    ),
    (
        "stnet",
        {"augment": "hist2sst"},
        "or 'autoaugment' (did you mean hist2st?)",
    ),
    (
        "hist2st",
        {"view": "bleeep"},
        "view is 'bleeep' but must be 'none', 'stnet', ",
    ),
    (
        "hist2st-gat",
        {"view": "bleep"},
        "method hist2st-gat: there is no parameter 'view' (known: panel, seed, ",
    ),
    (
        "regclass",
        {"gamma": -1},
        "method regclass: gamma is -1 but must be greater than or equal to 0",
    ),
    ("hist2st", {"k": 0}, "method hist2st: k is 0 but must be greater than or equal to 1"),
    ("hist2st", {"views": 9, "distill": 0.5}, "views=9"),
    ("hist2st", {"encoder": "own", "width": 100}, "width=100 does not fit"),
    (
        "hist2st-gat",
        {"heads": 3},
        "width=256 of method hist2st-gat cannot be divided among heads=3",
    ),
    ("stimage", {"target": "pearson"}, "no likelihood for target pearson"),
]
BUILT = [
    ("regclass", {"gamma": -1.0}, "gamma=-1.0"),
    ("regclass", {"gamma": float("nan")}, "gamma=nan"),
    ("hist2st", {"policy": "sum"}, "unknown policy 'sum'"),
    ("hist2st", {"view": "hist2sst"}, "unknown view 'hist2sst'; did you mean hist2st"),
    ("hist2st", {"prune": "grid"}, "unknown prune 'grid'"),
    ("hist2st", {"k": 0}, "k=0"),
    ("hist2st-gat", {"metric": "cosine"}, "unknown metric 'cosine'"),
    ("bleep", {"retrieval": "best"}, "unknown retrieval 'best'"),
    ("bleep", {"metric": "manhattan"}, "unknown metric 'manhattan'"),
]


@pytest.mark.parametrize(
    ("method", "words", "line"),
    PLANNED,
    ids=[f"{method} {next(iter(words))}" for method, words, _ in PLANNED],
)
def test_a_run_that_cannot_be_is_not_planned(method, words, line):
    with pytest.raises(BadInput) as refused:
        plan_run("tiny", SPLIT, method, sections=SECTIONS, panel="all", **words)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "words",
    [
        {"method": "hist2st-lite0", "tuned": True, "distill": 0.0},
        {"method": "stimage"},
        {"method": "deepspace"},
        {"method": "histogene"},
    ],
)
def test_what_only_an_encoder_of_its_own_can_be_is_planned_with_it(words):
    assert (
        plan_run("tiny", SPLIT, sections=SECTIONS, panel="all", encoder="own", **words).encoder
        == "own"
    )


@pytest.mark.parametrize(
    ("method", "words", "line"),
    BUILT,
    ids=[f"{method} {next(iter(words))}" for method, words, _ in BUILT],
)
def test_a_class_refuses_its_own_words(method, words, line):
    with pytest.raises(BadInput, match=line):
        recipe(method).build(ModelSpec(2, torch.zeros(2), classes=2, features=8), **words)


def test_a_weights_file_of_another_network_is_refused_before_the_first_fit(tmp_path):
    path = tmp_path / "other.pth"
    torch.save(encoders.encoder("test_resnet.r160_in1k", encoders.RANDOM).state_dict(), path)
    with pytest.raises(BadInput, match="is not of encoder tf_efficientnet_lite0"):
        plan_run("tiny", SPLIT, "ridge", sections=SECTIONS, panel="all", weights=str(path))


def test_weights_that_cannot_be_had_are_asked_for_once(monkeypatch, caplog):
    import timm

    asked = []

    def unreachable(name, **words):
        asked.append(name)
        raise OSError("no connection. Please check your cable.\nOr not.")

    monkeypatch.setattr(timm, "create_model", unreachable)
    monkeypatch.setattr(encoders, "UNREACHABLE", {})
    lines = set()
    for _ in range(2):
        with pytest.raises(BadInput) as refused:
            encoders.encoder("resnet50.tv_in1k")
        lines.add(str(refused.value))
    assert asked == ["resnet50.tv_in1k"]
    (line,) = lines
    assert (
        "the weights of encoder resnet50.tv_in1k are not here and cannot be downloaded"
        " (OSError: no connection); give weights=FILE" in line
    )
    assert caplog.text == ""


@pytest.mark.parametrize("labels", [[0, 2], [-2, 0]])
def test_labels_outside_the_classes_are_refused(labels):
    with pytest.raises(BadInput, match="give the numbers of 2 classes from 0 on, and -1 for none"):
        cross_entropy(torch.zeros(2, 2), torch.tensor(labels))


@pytest.mark.parametrize("spots", [0, 3])
def test_more_neighbours_than_the_bank_holds_are_refused(spots):
    with pytest.raises(BadInput, match=f"5 nearest reference spots asked for, of {spots}"):
        retrieve(torch.zeros(1, 4), torch.zeros(spots, 4), 5, "cosine", weighted=False)


def test_all_mistakes_are_in_one_answer():
    with pytest.raises(BadInput) as refused:
        plan_run(
            "tiny",
            SPLIT,
            "ridge",
            sections=SECTIONS,
            panel="all",
            permute="yes",
            budget="big",
            encoder="own",
            epoch=3,
            lr=0.0,
            stain="makenko",
            windows="clean",
        )
    line = str(refused.value)
    assert line.startswith("method ridge: ") and line.count("; ") == 8 and "\n" not in line
    for mistake in (
        "permute is 'yes' but must be a valid boolean",
        "budget is 'big'",
        "has no encoder of its own",
        "there is no parameter 'epoch' (did you mean epochs?)",
        "lr is 0.0 but must be greater than 0",
        "(did you mean macenko?)",
        "windows=clean is for methods that see all spots",
    ):
        assert mistake in line


@pytest.mark.parametrize("name", ["protocol", "budget", "panel", "stain", "epochs"])
@pytest.mark.parametrize("value", [["a"], {}, None], ids=str)
def test_a_value_of_another_type_is_one_mistake_among_others(name, value):
    with pytest.raises(BadInput) as refused:
        plan_run("tiny", SPLIT, "stnet", sections=SECTIONS, **{name: value, "lr": 0.0})
    line = str(refused.value)
    assert f"{name} is {value!r}" in line and "lr is 0.0" in line and "\n" not in line


NO_NAMES = """
from compendium.errors import BadInput
from compendium.runs import plan_run
for method in (["stnet"], {}, None, 3):
    try:
        plan_run("tiny", None, method, sections=[])
    except BadInput as refused:
        print(repr(method) in str(refused), len(str(refused).splitlines()))
"""


def test_a_method_that_is_no_name_is_refused():
    """In a process of its own, where no annotation is checked."""
    done = subprocess.run([sys.executable, "-c", NO_NAMES], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["True 1"] * 4, done.stderr


@pytest.mark.parametrize(
    ("name", "taken", "refused"),
    [("momentum", (0, 0.0, 0.99), (-0.1, 1, 1.5)), ("weight_decay", (0, 2.0), (-1e-4, -1))],
)
def test_bounds_of_the_optimiser(name, taken, refused):
    def plan(value):
        return plan_run("tiny", SPLIT, "stnet", sections=SECTIONS, panel="all", **{name: value})

    assert [getattr(plan(value), name) for value in taken] == list(taken)
    for value in refused:
        with pytest.raises(BadInput, match=f"{name} is {value!r}"):
            plan(value)


def test_an_integer_is_a_float_where_one_is_wanted_and_nothing_else_is_converted():
    run = plan_run("tiny", SPLIT, "stnet", sections=SECTIONS, panel="all", lr=1, epochs=2)
    assert (run.lr, type(run.lr), run.epochs) == (1.0, float, 2)
    for parameters in ({"epochs": 2.0}, {"epochs": True}, {"permute": 1}, {"lr": "1"}):
        with pytest.raises(BadInput, match="but must be a valid"):
            plan_run("tiny", SPLIT, "stnet", sections=SECTIONS, panel="all", **parameters)
