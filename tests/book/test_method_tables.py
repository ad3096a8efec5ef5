"""The tables of the methods are what is registered.

They hold the published numbers where the networks are the published ones.
"""

import re
from dataclasses import astuple

import pandas as pd
import pytest

from compendium.__main__ import main, parser
from compendium.book.site import method_tables
from compendium.book.site.method_tables import TABLES, as_text, reviewed, table, year
from compendium.errors import BadInput
from compendium.methods import METHODS, describe, names, recipe
from compendium.storage import CHECKOUT

# Total and trained at 785 genes, total and trained at 12; of Regclass, which has 128 positions,
# only the published total at 12 genes is known.
COUNTS = {
    "stnet": (7_758_481, 7_758_481, 6_966_156, 6_966_156),
    "histogene": (106_648_337, 106_648_337, 105_856_012, 105_856_012),
    "hist2st": (75_789_833, 75_789_833, 72_620_533, 72_620_533),
    "deepspace": (137_476_689, 3_216_145, 134_309_708, 49_164),
    "bleep": (24_366_400, 24_366_400, 24_168_512, 24_168_512),
    "hist2st-resnet50": (101_516_421, 78_008_389, 98_347_121, 74_839_089),
    "hist2st-efficientnetv2": (97_399_445, 77_221_957, 94_230_145, 74_052_657),
    "hist2st-swin": (125_534_927, 76_697_669, 122_365_627, 73_528_369),
}


def bibliography() -> dict[str, int]:
    """Key of every entry -> its year."""
    text = (CHECKOUT / "book" / "references.bib").read_text(encoding="utf-8")
    return {
        key: int(re.search(r"year = \{(\d{4})\}", entry)[1])
        for key, entry in re.findall(r"^@\w+\{([^,]+),(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    }


YES_NO = {True: "yes", False: "no"}


@pytest.mark.parametrize("name", [name for name in TABLES if name != "parameters"])
def test_a_table_is_printed_with_all_it_holds(name, capsys):
    assert main(["table", name]) == 0
    said = capsys.readouterr().out
    assert said.rstrip("\n") == as_text(table(name))
    words = {
        word
        for row in table(name).itertuples(index=False)
        for value in row
        for word in (YES_NO[value] if isinstance(value, bool) else str(value)).split()
    }
    assert words <= set(said.split()) and len(words) > 10


def test_a_printed_table_is_aligned():
    frame = pd.DataFrame(
        {"method": ["A", "Long name"], "spots": [12, 12345], "why": ["x " * 40, ""]}
    )
    assert as_text(frame).splitlines() == [
        "method      spots  why",
        "A              12  " + "x " * 27 + "x",
        " " * 19 + "x " * 11 + "x",
        "Long name  12,345",
    ]


def test_every_table_has_a_caption_and_is_offered(capsys):
    pages = "".join(
        (CHECKOUT / "book" / f"{page}.md").read_text(encoding="utf-8")
        for page in ("methods", "deviations")
    )
    captions = dict(re.findall(r"```\{methods-table\} (\S+)\n(\S[^`]+)\n```", pages))
    assert set(captions) == set(TABLES)
    with pytest.raises(SystemExit):
        parser().parse_args(["table", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert [name for name in TABLES if name not in said] == []


def test_an_unknown_table_lists_the_known(capsys):
    assert main(["table", "metods"]) == 2
    assert (
        capsys.readouterr().err
        == f"compendium: unknown table 'metods'; known: {', '.join(TABLES)}\n"
    )
    with pytest.raises(BadInput, match="unknown table"):
        table("")


def test_the_overview_holds_every_method_and_the_others_no_control():
    assert sorted(table("methods")["name"]) == sorted(METHODS)
    titles = {describe(name).title for name in names() if not recipe(name).control}
    for other in ("inputs", "architectures", "training", "parameters", "origins"):
        assert set(table(other)["method"]) == titles and len(table(other)) == len(titles), other


def test_every_registration_says_what_the_tables_print():
    """A method that is part of the book states its loss, its drawing and where it comes from.

    The defaults are for one that is being added.
    """
    for name in reviewed():
        text = describe(name)
        assert text.loss and text.flow and text.evaluated and text.citation, name
        assert all(rival in METHODS for rival in text.compared), name
        printed = [text.loss, text.augmentation, *(s.title + s.detail for s in text.flow)]
        assert not re.search(r"[{}]", " ".join(printed))


def test_numbers_in_words_are_the_models_own():
    model = recipe("hist2st").model
    layers, graph = model["layers"], model["graph_layers"]
    assert (
        method_tables.part("hist2st", "context")
        == f"{layers} transformer blocks, position tables, {graph} graph layers, "
        f"LSTM over the {graph} outputs"
    )
    assert describe("hist2st").loss == "mean squared error + 0.25 ZINB + 0.5 distillation"


def test_every_method_is_cited_and_its_year_is_that_of_the_entry():
    years = bibliography()
    cited = {describe(name).citation for name in METHODS} - {""}
    assert cited <= set(years) and len(cited) >= 7
    assert [name for name in reviewed() if year(name) != years[describe(name).citation]] == []


def test_the_pages_cite_what_is_listed_and_name_tables_and_methods_that_are_there():
    known = bibliography()
    for page in ("methods", "deviations"):
        text = (CHECKOUT / "book" / f"{page}.md").read_text(encoding="utf-8")
        assert {
            key for group in re.findall(r"\{cite\}`([^`]+)`", text) for key in group.split(",")
        } <= set(known)
        assert set(re.findall(r"```\{methods-table\} (\S+)", text)) <= set(TABLES)
        assert set(re.findall(r"```\{method-drawing\} (\S+)", text)) <= {*METHODS, "structure"}


def test_parameters_are_the_published_numbers():
    counted = {row[0]: tuple(row[1:]) for row in table("parameters").itertuples(index=False)}
    assert {name: counted[describe(name).title] for name in COUNTS} == COUNTS
    assert [counted[describe("stimage").title][i] for i in (1, 3)] == [3_216_930, 49_176]
    assert counted[describe("regclass").title][2] == 75_495_607


def test_protocols_differ_where_they_say_and_methods_add_their_own_words():
    rows = {
        (word, then, now): method
        for method, word, then, now in table("protocols").itertuples(index=False)
    }
    assert all(then != now for _, then, now in rows)
    assert rows["split", "section-out", "patient-out"] == "all"
    assert rows["double_softmax", "True", "False"] == describe("regclass").title
    assert {describe(name).title for name in ("hist2st", "hist2st-gat", "regclass")} < {
        *rows["k, on Visium slides", "4", "6"].split("; ")
    }
    assert describe("stnet").title in rows["target", "log1p", "wide"].split("; ")


def test_every_deviation_stands_once_with_all_whose_it_is():
    frame = table("deviations")
    assert not frame.duplicated(["what", "here", "paper", "reason"]).any()
    for name in METHODS:
        text = describe(name)
        mine = frame[[text.title in titles.split("; ") for titles in frame["method"]]]
        found = set(mine.drop(columns="method").itertuples(index=False, name=None))
        assert found == {astuple(each) for each in text.deviations}, name
        assert not (recipe(name).control and text.deviations)


def test_methods_stand_by_year_and_variants_behind():
    order = reviewed()
    assert order[0] == "stnet" and order.index("bleep") < order.index("regclass")
    assert sorted(order) == sorted(name for name in names() if not recipe(name).control)
