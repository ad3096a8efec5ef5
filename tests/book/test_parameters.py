import json
import os
import typing

import pytest

from compendium.book.notebook.parameters import Parameter, check, declared, from_text, given, parse
from compendium.errors import BadInput
from tiny_book import PARAMETERS, make_root

CELL = """from typing import Literal
profile: str = "demo"  # what to run with
epochs: int = 20  # passes over the data
rate: float = 0.1
methods: list[str] = []  # methods to compare
sizes: list[int] | None = None
budget: Literal["smoke", "full"] = "smoke"  # how long
quick: bool = False
"""


def known() -> list[Parameter]:
    return parse(CELL, "x.ipynb")


def test_the_cell_declares_name_type_default_and_help():
    assert [p.name for p in known()] == [
        "profile",
        "epochs",
        "rate",
        "methods",
        "sizes",
        "budget",
        "quick",
    ]
    assert known()[1] == Parameter("epochs", "int", 20, "passes over the data")
    assert known()[5].type == 'Literal["smoke", "full"]'
    assert [p.name for p in known() if p.is_open] == ["methods", "sizes"]


def test_values_of_the_declared_type_pass_and_the_rest_take_their_default():
    values = check(
        known(), {"rate": 1, "methods": ["ridge"], "sizes": [3], "budget": "full", "quick": True}
    )
    assert values == {
        "profile": "demo",
        "epochs": 20,
        "rate": 1.0,
        "methods": ["ridge"],
        "sizes": [3],
        "budget": "full",
        "quick": True,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", "yes"),
        ("epochs", 2.5),
        ("epochs", True),
        ("epochs", ""),
        ("methods", "[a,b]"),
        ("methods", [1]),
        ("sizes", ["a"]),
        ("budget", "slow"),
        ("quick", "true"),
        ("rate", "fast"),
        ("profile", 1),
    ],
)
def test_a_value_of_another_type_is_an_error_in_one_line_that_names_it(name, value):
    with pytest.raises(BadInput, match=f"parameter {name} must be ") as error:
        check(known(), {name: value})
    assert "\n" not in str(error.value) and repr(value) in str(error.value)


def test_a_misspelt_name_is_an_error_with_the_nearest_and_all_known():
    with pytest.raises(
        BadInput, match="unknown parameter metods; did you mean methods.*known: profile, epochs"
    ):
        check(known(), {"metods": ["ridge"]})


def test_defaults_are_not_shared():
    check(known(), {})["methods"].append("x")
    assert check(known(), {})["methods"] == []


def test_command_line_texts_are_yaml_and_bare_words_where_a_text_is_wanted():
    values = from_text(
        known(),
        {
            "methods": "[ridge, stnet]",
            "epochs": "3",
            "profile": "007",
            "quick": "true",
            "rate": "2",
        },
    )
    assert values == {
        "methods": ["ridge", "stnet"],
        "epochs": 3,
        "profile": "007",
        "quick": True,
        "rate": 2,
    }
    for wrong in ({"epochs": "yes"}, {"methods": "ridge"}, {"methods": "[a"}, {"typo": "1"}):
        with pytest.raises(BadInput):
            from_text(known(), wrong)


@pytest.mark.parametrize(
    "line",
    [
        "x = 1",
        "x: int",
        "x: dict = {}",
        "x: int = 'a'",
        "x: Literal[y] = 1",
        "import os",
        "x: int = (",
    ],
)
def test_a_cell_that_cannot_be_checked_is_an_error(line):
    with pytest.raises(BadInput, match="x.ipynb|parameter x"):
        parse(line, "x.ipynb")


def test_declared_reads_the_tagged_cell_of_a_notebook(tmp_path):
    notebook = make_root(tmp_path) / "notebooks" / "01_tiny.ipynb"
    assert [p.name for p in declared(notebook)] == ["profile", "spots", "methods"]
    cells = json.loads(notebook.read_text())
    cells["cells"][1]["metadata"] = {}
    notebook.write_text(json.dumps(cells))
    with pytest.raises(BadInput, match="0 cells tagged parameters"):
        declared(notebook)


def namespace(source: str) -> dict:
    names: dict = {
        "In": [],
        "Out": {},
        "get_ipython": print,
        "os": os,
        "_hidden": 1,
        "Literal": typing.Literal,
    }
    exec(source, names)
    return names


def test_given_takes_the_cell_and_what_papermill_injected():
    assert given(namespace(PARAMETERS + "spots = 7")) == {
        "profile": "demo",
        "spots": 7,
        "methods": [],
    }


def test_given_takes_an_unknown_name_for_a_parameter_but_only_the_first_time():
    names = namespace(PARAMETERS + "spotz = 7")
    assert given(names)["spotz"] == 7
    names = namespace(PARAMETERS)
    first = given(names)
    names["result"] = [1, 2]
    assert given(names) == first
