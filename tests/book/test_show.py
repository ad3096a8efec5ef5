import base64
import json
import re

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from compendium.book.notebook.show import PLOTLY, TABLE, show, show_table, to_csv, to_html
from compendium.errors import BadInput

DATA = pd.DataFrame({"x": [1.0, 2.0], "y": [0.123456789, np.nan]})


@pytest.fixture
def published(monkeypatch) -> list[dict]:
    bundles: list[dict] = []
    monkeypatch.setattr(
        "IPython.display.publish_display_data", lambda bundle, metadata=None: bundles.append(bundle)
    )
    return bundles


def figure(**layout) -> go.Figure:
    return go.Figure(
        go.Scatter(x=np.arange(100.0), y=np.random.default_rng(0).random(100))
    ).update_layout(**layout)


def test_a_figure_carries_its_words_its_data_and_nothing_else(published):
    show(figure(), "a-line", "a line", "It rises.", DATA, "profile demo")
    bundle = published[0][PLOTLY]
    assert bundle["layout"]["meta"] == {
        "name": "a-line",
        "alt": "a line",
        "caption": "It rises.",
        "csv": "x,y\n1,0.123457\n2,\n",
        "provenance": "profile demo",
    }
    assert "template" not in bundle["layout"]
    assert "a line" in published[0]["text/plain"]
    json.dumps(bundle, allow_nan=False)


def test_float_arrays_are_halved_and_keep_their_values(published):
    fig = figure()
    show(fig, "a", "b", "c", DATA)
    y = published[0][PLOTLY]["data"][0]["y"]
    assert y["dtype"] == "f4"
    np.testing.assert_allclose(
        np.frombuffer(base64.b64decode(y["bdata"]), "<f4"), fig.data[0].y, rtol=1e-6
    )


def test_arrays_inside_menus_become_plain_lists(published):
    button = {"method": "restyle", "label": "a", "args": [{"y": [np.array([0.1, np.nan])]}]}
    show(figure(updatemenus=[{"buttons": [button]}]), "a", "b", "c", DATA)
    assert published[0][PLOTLY]["layout"]["updatemenus"][0]["buttons"][0]["args"] == [
        {"y": [[0.1, None]]}
    ]


@pytest.mark.parametrize("name", ["", "Has Blank", "under_score", "-a", "a--b", "Ä"])
def test_a_name_that_is_no_slug_is_an_error(published, name):
    with pytest.raises(BadInput, match="slug"):
        show(figure(), name, "alt", "caption", DATA)
    assert not published


@pytest.mark.parametrize(
    ("alt", "caption", "word"), [("", "c", "alt"), (" ", "c", "alt"), ("a", "", "caption")]
)
def test_words_may_not_be_missing(published, alt, caption, word):
    with pytest.raises(BadInput, match=f"has no {word}"):
        show(figure(), "a", alt, caption, DATA)


@pytest.mark.parametrize(
    "layout", [{"title": "$r^2$"}, {"xaxis_title": "cost $"}, {"annotations": [{"text": "a$b"}]}]
)
def test_a_formula_inside_a_figure_is_an_error(published, layout):
    with pytest.raises(BadInput, match="formulas are not set inside figures"):
        show(figure(**layout), "a", "b", "c", DATA)
    show(figure(), "a", "b", "a caption may hold $r^2$", DATA)


@pytest.mark.parametrize(
    "trace",
    [
        go.Scattergl(y=[1]),
        go.Scatter3d(x=[1], y=[1], z=[1]),
        go.Scattergeo(lon=[0], lat=[0]),
        go.Table(),
    ],
)
def test_traces_that_need_webgl_or_a_network_are_errors(published, trace):
    with pytest.raises(BadInput, match=f"type {trace.type} "):
        show(go.Figure(trace), "a", "b", "c", DATA)


def test_an_image_from_elsewhere_is_an_error(published):
    with pytest.raises(BadInput, match="not embedded"):
        show(figure(images=[{"source": "https://example.org/a.png"}]), "a", "b", "c", DATA)


def test_a_figure_without_data_is_an_error(published):
    with pytest.raises(BadInput, match="without data"):
        show(figure(), "a", "b", "c", pd.DataFrame())


def test_a_table_is_published_for_the_page_and_for_the_notebook(published):
    show_table(DATA, "numbers", "Two rows.", "profile demo")
    assert published[0][TABLE] == {
        "name": "numbers",
        "caption": "Two rows.",
        "html": to_html(DATA),
        "csv": to_csv(DATA),
        "provenance": "profile demo",
    }
    assert published[0]["text/html"] == to_html(DATA)


def test_table_cells_are_for_the_eye():
    table = to_html(
        pd.DataFrame(
            {
                "section": ["<A1>", "B1"],
                "spots": [13620, 7],
                "pcc": [0.12345, np.nan],
                "umi": [12345.6, 2.0],
                "image": [True, False],
            }
        )
    )
    assert '<th scope="col">section</th><th scope="col" class="number">spots</th>' in table
    assert (
        '<th scope="row">&lt;A1&gt;</th><td class="number">13,620</td>'
        '<td class="number">0.123</td><td class="number">12,346</td><td>yes</td>' in table
    )
    assert '<td class="number">–</td>' in table


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([2750.0, 1234.5, np.nan], ["2,750", "1,234.5", "–"]),  # medians of counts
        ([3.0, 0.0], ["3", "0"]),
        ([0.5, 1.0, 0.0], ["0.500", "1.000", "0.000"]),  # shares
        ([0.1234, -0.0004, -0.0], ["0.123", "0.000", "0.000"]),
        ([4.46317, 12.5], ["4.46", "12.50"]),
        ([226.606, 0.1043], ["226.6", "0.1"]),
        ([5218.25, -0.3], ["5,218", "0"]),
        ([np.inf, 0.25], ["inf", "0.250"]),
        ([np.nan], ["–"]),
    ],
)
def test_numbers_are_written_by_what_their_column_holds(values, told):
    assert re.findall(r'<td class="number">([^<]*)', to_html(pd.DataFrame({"it": values}))) == told


def test_a_number_among_words_is_written_by_itself():
    assert re.findall(
        r"<t[dh](?: scope=\"row\")?>([^<]*)",
        to_html(pd.DataFrame({"it": ["none", 145.23, -0.0001, 7.0]})),
    ) == ["none", "145.2", "0.000", "7"]
