"""Figure of scores within tissue classes."""

import pandas as pd
import plotly.express as px
import plotly.graph_objects as go

from compendium.plots.style import ABOVE, COLOURS, ZERO_LINE, name_panels, plain

CONTROL = "class means (control)"
CONTROL_LINE = {"color": "#8B6FD0", "width": 2, "dash": "dash"}
VALUE = "%{fullData.name}: %{y:.3f}<extra></extra>"
"""What the pointer shows of a point."""
KINDS = {"pcc": "all labelled spots", "within": "within classes"}


def within_class(rows: pd.DataFrame) -> go.Figure:
    """Draw the median PCC of each method over all labelled spots and within classes.

    One panel a split. Diamonds are means over sections, dots are sections, the dashed line is the
    class-mean control.

    Parameters
    ----------
    rows
        Table of `compendium.evaluation.within_class.within_class`; a method without any
        correlation is left out.
    """
    rows = rows.dropna(subset="pcc").rename(columns=KINDS)
    dots = rows.melt(["title", "split", "section"], list(KINDS.values()), "of", "pcc")
    means = dots.groupby(["title", "split", "of"], sort=False)["pcc"].mean().reset_index()
    control = rows.drop_duplicates(["split", "section"]).groupby("split", sort=False)["control"]
    level = rows[["title", "split"]].drop_duplicates().assign(of=CONTROL)
    level["pcc"] = level["split"].map(control.mean())
    panels = {
        "x": "title",
        "y": "pcc",
        "color": "of",
        "color_discrete_sequence": COLOURS,
        "facet_col": "split",
        "facet_col_wrap": 1,
        "render_mode": "svg",
    }
    fig = px.scatter(dots, hover_name="section", **panels)
    fig.update_traces(marker={"size": 5, "opacity": 0.4}, showlegend=False)
    fig.update_traces(hovertemplate=f"%{{x}}, section %{{hovertext}}, {VALUE}")
    marker = {"size": 11, "symbol": "diamond"}
    diamonds = px.scatter(means, **panels)
    diamonds.update_traces(marker=marker, hovertemplate=f"%{{x}}, mean of sections, {VALUE}")
    lines = px.line(level, **panels).update_traces(line=CONTROL_LINE, hovertemplate=VALUE)
    fig.add_traces([*diamonds.data, *lines.data])
    splits = level["split"].nunique()
    name_panels(fig).add_hline(y=0, **ZERO_LINE).update_yaxes(title_text="median PCC")
    fig.update_xaxes(title_text="", tickangle=-35)
    legend = ABOVE | {"y": 1.06}
    return plain(fig, 180 + 240 * splits, legend=legend).update_layout(margin_t=90)
