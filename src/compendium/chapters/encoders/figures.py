"""Figure of chapter 7: boxes of genes by row."""

from collections.abc import Collection, Mapping

import pandas as pd
import plotly.graph_objects as go

from compendium.evaluation.scores import summary
from compendium.plots.scores import QUARTILES
from compendium.plots.style import COLOURS, ZERO_LINE, plain


def gene_boxes(
    genes: pd.DataFrame, titles: Mapping[str, str], preliminary: Collection[str]
) -> go.Figure:
    """Draw one box a row over its genes; whiskers reach the 5th and 95th percentile.

    Parameters
    ----------
    genes
        Table of `compendium.chapters.encoders.results.per_gene`.
    titles
        Row -> title, in order.
    preliminary
        Rows below the minimum training criterion, drawn grey.
    """
    rows = summary(genes, ["row"]).set_index("row").reindex(list(titles)).dropna(subset="median")
    grey = rows.index.isin(list(preliminary))
    fig = go.Figure()
    for part, name, colour in (
        (rows[~grey], "above the minimum training criterion", COLOURS[0]),
        (rows[grey], "preliminary", COLOURS[6]),
    ):
        if len(part):
            fig.add_box(
                x=[titles[key] for key in part.index],
                **{quartile: part[column] for quartile, column in QUARTILES.items()},
                name=name,
                marker_color=colour,
                line_width=1.5,
                hoverinfo="y+x",
            )
    fig.add_hline(y=0, **ZERO_LINE)
    order = {
        "categoryorder": "array",
        "categoryarray": [titles[key] for key in rows.index],
        "tickangle": -35,
    }
    legend = {"orientation": "h", "y": 1.08, "x": 0}
    title = "PCC of a gene, mean over sections"
    return plain(fig, 480, xaxis=order, yaxis_title=title, legend=legend)
