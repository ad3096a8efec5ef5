"""Figure of paired differences of rows, section by section."""

import pandas as pd
import plotly.graph_objects as go

from compendium.plots.dots import differences
from compendium.plots.style import colour_of


def paired(apart: pd.DataFrame) -> go.Figure:
    """Draw the difference of two rows in each section, one line a comparison, coloured by patient.

    Parameters
    ----------
    apart
        Table of `compendium.evaluation.paired.differences`.
    """
    patients = sorted(f"patient {name}" for name in apart["patient"].unique())
    rows = apart.assign(line=apart["comparison"].map(wrapped), of="patient " + apart["patient"])
    rows = rows.sort_values("of", kind="stable")
    lines = [wrapped(title) for title in dict.fromkeys(apart["comparison"])]
    return differences(rows, lines, colour_of(patients), step=46)


def wrapped(title: str) -> str:
    """Break a comparison into two lines, at its colon or its minus."""
    return title.replace(": ", ":<br>", 1) if ": " in title else title.replace(" − ", "<br>− ", 1)
