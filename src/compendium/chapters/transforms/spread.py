"""How far the scores of genes lie apart under each transform, and whether the spread is smaller for log-normalised counts."""

import numpy as np
import pandas as pd
from scipy.stats import levene

from compendium.evaluation.verdict import FAILS, HOLDS, UNDECIDED, too_few

PUBLISHED = ("raw", "log1p", "minmax")  # what the benchmark set beside its log-normalised counts
LOGNORM = {"logcpm": "as its text has it", "scprep": "as its code has it"}


def spread(table: pd.DataFrame) -> pd.DataFrame:
    """Standard deviation and interquartile range of PCC over genes: [row, method, transform, scored_on, section, patient, genes, sd, iqr].

    A section that several folds test counts once, with the mean of its genes over them; genes without a PCC are left out.
    """
    by = ["row", "method", "transform", "scored_on", "section", "patient"]
    genes = table.groupby([*by, "gene"], sort=False)["pcc"].mean().groupby(by, sort=False)
    quartiles = genes.quantile(0.75) - genes.quantile(0.25)
    return pd.DataFrame({"genes": genes.count(), "sd": genes.std(), "iqr": quartiles}).reset_index()


def equality(table: pd.DataFrame) -> pd.DataFrame:
    """Test of Brown and Forsythe that all transforms have one spread over genes: [method, scored_on, section, genes, statistic, p, smallest].

    It takes genes for independent, and the groups too, which hold the same genes: neither is so, and p describes, it does not decide. smallest: the transform of least
    standard deviation. Genes that lack a PCC under a transform are left out; fewer than three leave no test.
    """
    lines = []
    for (method, on, section), part in table.groupby(
        ["method", "scored_on", "section"], sort=False
    ):
        wide = part.pivot_table(
            index="gene", columns="transform", values="pcc", sort=False, dropna=False
        ).dropna()
        tested = (
            levene(*wide.to_numpy().T, center="median")
            if len(wide) > 2 and wide.shape[1] > 1
            else None
        )
        facts = (
            {"statistic": tested.statistic, "p": tested.pvalue}
            if tested
            else {"statistic": np.nan, "p": np.nan}
        )
        lines.append(
            {"method": method, "scored_on": on, "section": section, "genes": len(wide)}
            | facts
            | {"smallest": wide.std().idxmin() if len(wide) > 2 else ""}
        )
    return pd.DataFrame(lines)


def p_told(p: float) -> str:
    """0.012, <0.001, or a dash where nothing was tested."""
    return "–" if np.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def ratios(rows: pd.DataFrame) -> pd.DataFrame:
    """One line a method, target scored on, log-normalised form and section: its standard deviation over the smallest of the PUBLISHED transforms there; below 1 it is the smallest.

    rows: those of `spread`; a form or all published transforms that were not fitted give no line.
    """
    lines = []
    for (method, on, section), part in rows.groupby(["method", "scored_on", "section"], sort=False):
        sd = part.set_index("transform")["sd"]
        others = sd[sd.index.isin(PUBLISHED)]
        lines += [
            {
                "method": method,
                "scored_on": on,
                "lognorm": form,
                "section": section,
                "patient": part["patient"].iloc[0],
                "ratio": sd[form] / others.min(),
            }
            for form in LOGNORM
            if form in sd and len(others)
        ]
    return pd.DataFrame(
        lines, columns=["method", "scored_on", "lognorm", "section", "patient", "ratio"]
    )


def claims(found: pd.DataFrame, smoke: set[str]) -> pd.DataFrame:
    """One line a method, target scored on and log-normalised form: [method, scored_on, lognorm, sections, smallest in, verdict] on "its spread is smaller than the others'".

    found: lines of `ratios`. It holds where the form has the smallest spread in every section, fails where it has in none, of enough sections and patients; smoke: keys of rows
    below the floor, on which nothing is decided.
    """
    lines = []
    for (method, on, form), part in found.groupby(["method", "scored_on", "lognorm"], sort=False):
        smallest, sections = int((part["ratio"] < 1).sum()), len(part)
        enough = not too_few(part) and not smoke & {
            f"{method}:{word}" for word in (form, *PUBLISHED)
        }
        verdict = {sections: HOLDS, 0: FAILS}.get(smallest, UNDECIDED) if enough else UNDECIDED
        lines.append(
            {
                "method": method,
                "scored_on": on,
                "lognorm": form,
                "sections": sections,
                "smallest in": smallest,
                "verdict": verdict,
            }
        )
    return pd.DataFrame(lines)
