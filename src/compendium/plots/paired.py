"""Figures of the encoder chapter: boxes of genes by row, and paired differences by comparison."""

import pandas as pd
import plotly.graph_objects as go

from compendium.evaluation.scores import summary
from compendium.plots.dots import differences
from compendium.plots.style import COLOURS, colour_of, plain


def per_gene(table: pd.DataFrame) -> pd.DataFrame:
    """PCC of each gene under each row, mean over sections."""
    return (
        table.groupby(["row", "gene"], sort=False)["pcc"]
        .agg(pcc="mean", sections="count")
        .reset_index()
    )


def highest(genes: pd.DataFrame, titles: dict[str, str]) -> str:
    """The row with the highest median over genes, and the median."""
    medians = genes.groupby("row")["pcc"].median()
    return f"{titles[medians.idxmax()]}, {medians.max():.3f}"


def gene_boxes(genes: pd.DataFrame, titles: dict[str, str], smoke: set[str]) -> go.Figure:
    """One box a row over its genes, whiskers to the 5th and 95th percentile; a row below the floor is grey."""
    rows = summary(genes, ["row"]).set_index("row").reindex(list(titles)).dropna(subset="median")
    fig = go.Figure()
    for said, colour in ((False, COLOURS[0]), (True, COLOURS[6])):
        part = rows[[(key in smoke) is said for key in rows.index]]
        if len(part):
            fig.add_box(
                x=[titles[key] for key in part.index],
                q1=part["q25"],
                median=part["median"],
                q3=part["q75"],
                lowerfence=part["low"],
                upperfence=part["high"],
                name="smoke, not a result" if said else "above the floor",
                marker_color=colour,
                line_width=1.5,
                hoverinfo="y+x",
            )
    fig.add_hline(y=0, line_width=1, line_dash="dot", line_color="#888888")
    order = {
        "categoryorder": "array",
        "categoryarray": [titles[key] for key in rows.index],
        "tickangle": -35,
    }
    return plain(
        fig,
        480,
        xaxis=order,
        yaxis_title="PCC of a gene, mean over sections",
        legend={"orientation": "h", "y": 1.08, "x": 0},
    )


def paired(found: pd.DataFrame) -> go.Figure:
    """Difference of two rows in each section, one line a comparison, one colour a patient."""
    patients = sorted(f"patient {name}" for name in found["patient"].unique())
    lines = found.assign(
        line=found["comparison"].map(wrapped), of="patient " + found["patient"]
    ).sort_values("of", kind="stable")
    return differences(
        lines,
        [wrapped(title) for title in dict.fromkeys(found["comparison"])],
        colour_of(patients),
        step=46,
    )


def wrapped(title: str) -> str:
    """A comparison in two lines, broken at its colon or its minus."""
    return title.replace(": ", ":<br>", 1) if ": " in title else title.replace(" − ", "<br>− ", 1)
