"""Waiting for Slurm jobs, without Slurm: what a queue may say, and when a job is lost."""

from types import SimpleNamespace

import pytest

from compendium.runs.executors import slurm

RUNNING, CANCELLED, HELD = (
    "7_1 RUNNING None",
    "7_1 CANCELLED None",
    "7_1 PENDING launch failed requeued held",
)


@pytest.fixture
def jobs(tmp_path):
    """Two jobs of an array, the first of which has left its result."""
    both = [
        SimpleNamespace(
            job_id=f"7_{i}",
            paths=SimpleNamespace(folder=tmp_path, result_pickle=tmp_path / f"7_{i}_0_result.pkl"),
        )
        for i in range(2)
    ]
    both[0].paths.result_pickle.touch()
    return both


def hear(monkeypatch, *answers: str | None) -> list[str | None]:
    """The queue gives these answers, one each time it is asked; None is no answer."""
    left = list(answers)

    def run(command, **words):
        said = left.pop(0)
        return SimpleNamespace(
            returncode=int(said is None), stdout="\n".join(filter(None, (said, "8_0 RUNNING None")))
        )

    monkeypatch.setattr(slurm.subprocess, "run", run)
    monkeypatch.setattr(slurm, "POLL_SECONDS", 0.0)
    return left


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([RUNNING, CANCELLED, CANCELLED], "CANCELLED"),
        (["7_1 PENDING Resources", HELD, HELD], "launch failed requeued held"),
        ([RUNNING, "", ""], "GONE"),
        (
            [
                "7_1 PREEMPTED None",
                "7_1 PENDING BeginTime",
                RUNNING,
                "7_1 NODE_FAIL None",
                None,
                "7_1 NODE_FAIL None",
                "7_1 NODE_FAIL None",
            ],
            "NODE_FAIL",
        ),
    ],
)
def test_a_job_is_given_up_when_the_queue_says_so_twice(answers, told, jobs, monkeypatch):
    left = hear(monkeypatch, *answers)
    assert slurm.wait(jobs) == {"7_1": told}
    assert not left


def test_a_result_ends_the_wait_whatever_the_queue_says(jobs, monkeypatch):
    hear(monkeypatch, RUNNING, CANCELLED)
    monkeypatch.setattr(slurm.time, "sleep", lambda seconds: jobs[1].paths.result_pickle.touch())
    assert slurm.wait(jobs) == {}
