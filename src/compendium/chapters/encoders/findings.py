"""The claim of the benchmark that pre-trained encoders transfer negatively."""

from compendium.chapters.encoders.results import compared
from compendium.evaluation.findings import Finding
from compendium.evaluation.paired import BETTER, PRELIMINARY, WORSE
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Outcome, Verdict, judge


def transfer(results: Results) -> Outcome:
    """Hold if each comparison above the criterion is decided against the pre-trained encoder.

    Fail if each is decided for it.
    """
    apart, lines = compared(results)
    lines = lines[lines["claim"]]
    decided = lines.loc[lines["verdict"] != PRELIMINARY, "verdict"]
    worse, better = int((decided == WORSE).sum()), int((decided == BETTER).sum())
    verdict = Verdict.UNDECIDED
    if len(decided) and len(decided) in (worse, better):
        verdict = Verdict.HOLDS if worse else Verdict.FAILS
    if not len(decided):
        limits = ["no comparison meets the minimum training criterion"]
    else:
        limits = ["comparisons disagree"] if verdict is Verdict.UNDECIDED else []
    return judge(
        verdict,
        apart[apart["comparison"].isin(lines["comparison"])],
        limits,
        statistic=float(worse),
        name="comparisons decided against the pre-trained encoder",
        numbers={"worse": worse, "better": better, "comparisons": len(decided)},
    )


FINDINGS = (
    Finding(
        id="transfer",
        text="Pre-trained encoders transfer negatively (of {comparisons} comparisons {worse} are "
        "decided against the pre-trained encoder, {better} for it).",
        negation="Pre-trained encoders do not transfer negatively: of {comparisons} comparisons "
        "{worse} are decided against the pre-trained encoder, {better} for it.",
        decide=transfer,
        claim="Results, Fig. S3a",
        expected=Verdict.UNDECIDED,
    ),
)
