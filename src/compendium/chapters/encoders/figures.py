"""Figure of chapter 7: boxes of genes by row."""

from collections.abc import Collection, Mapping

import pandas as pd
import plotly.graph_objects as go

from compendium.evaluation.scores import summary
from compendium.plots.scores import boxes
from compendium.plots.style import COLOURS

MET = "above the minimum training criterion"
COLOUR = {MET: COLOURS[0], "preliminary": COLOURS[6]}


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
    rows = summary(genes, ["row"]).rename(columns={"row": "method"})
    grey = rows["method"].isin(list(preliminary))
    rows["split"] = grey.map({False: MET, True: "preliminary"})
    fig = boxes(rows.sort_values("split"), list(titles), dict(titles), COLOUR)
    fig.update_layout(boxmode="overlay", yaxis_title="PCC of a gene, mean over sections")
    return fig.update_xaxes(tickangle=-35)
