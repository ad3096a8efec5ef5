"""The claim of the benchmark that pre-trained encoders transfer negatively."""

from pathlib import Path

from compendium.chapters.encoders.results import compared
from compendium.evaluation.findings import read_findings
from compendium.evaluation.paired import BETTER, PRELIMINARY, WORSE
from compendium.evaluation.results import Results
from compendium.evaluation.settled import training_limits
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
    limits = ["comparisons disagree"] if verdict is Verdict.UNDECIDED else []
    if not len(decided):
        limits = ["no comparison meets the minimum training criterion"]
    limits += training_limits(results, results["criterion"]["row"])
    tested = apart[apart["comparison"].isin(lines["comparison"])]
    numbers = {"worse": worse, "better": better, "comparisons": len(decided)}
    name = "comparisons decided against the pre-trained encoder"
    return judge(verdict, tested, limits, statistic=float(worse), name=name, numbers=numbers)


FINDINGS = read_findings(Path(__file__).with_suffix(".yaml"), {"transfer": transfer})
