"""The Slurm engine: runs as one job array, submitted by submitit."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from compendium.errors import BadInput
from compendium.storage import home

if TYPE_CHECKING:
    from submitit import Job

POLL_SECONDS = 10.0
TIMEOUT_MIN, REQUEUES = (
    60,
    100,
)  # a job that needs longer is put back, and goes on from its checkpoint
ENDED = (
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "SPECIAL_EXIT",
    "TIMEOUT",
)
GONE = "GONE"  # Slurm forgets a job some minutes after its end


class Requeued:
    """A call that Slurm may stop and put back into the queue: it starts again and finds its own checkpoint on disk."""

    def __init__(self, fn: Callable) -> None:
        self.fn = fn

    def __call__(self, *args):
        """Compute."""
        return self.fn(*args)

    def checkpoint(self, *args):
        """What submitit puts back into the queue when the time is up or the job is preempted: the same call."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *args)


class JobArray(Executor):
    """All calls of a `map` as one job array, at most `workers` at once; its files and logs lie in a folder of their own under COMPENDIUM_HOME/slurm.

    words: parameters of submitit, e.g. slurm_partition; timeout_min is of one piece of a run, which goes on in the next.
    """

    def __init__(self, workers: int, words: Mapping[str, object]) -> None:
        from submitit import AutoExecutor

        folder = (
            home() / "slurm" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        )  # not named by the job, which may start before a folder of its name is there
        own = {"name": "compendium", "timeout_min": TIMEOUT_MIN} | (
            {"slurm_array_parallelism": workers} if workers else {}
        )
        try:
            self.executor = AutoExecutor(
                folder=folder, cluster="slurm", slurm_max_num_timeout=REQUEUES
            )
            self.executor.update_parameters(**(own | dict(words)))
        except (RuntimeError, NameError, TypeError, ValueError, AssertionError) as error:
            raise BadInput(
                f"no Slurm job can be made here ({' '.join(str(error).split())[:200]}); run on a login node, and see submitit for the words of --slurm"
            ) from error

    def map(
        self, fn: Callable, *iterables, timeout: float | None = None, chunksize: int = 1
    ) -> Iterator:
        """The results, in order, once all jobs have ended."""
        return _results(self.executor.map_array(Requeued(fn), *iterables))


def _results(jobs: Sequence["Job"]) -> Iterator:
    from submitit.core.utils import pickle_load

    if lost := wait(jobs):
        told = ", ".join(f"{job} {state}" for job, state in lost.items())
        raise BadInput(
            f"{len(lost)} of {len(jobs)} Slurm jobs left no result (logs: {jobs[0].paths.folder}): {told}"
        )
    for job in jobs:
        outcome, result = pickle_load(job.paths.result_pickle)
        if outcome == "error":
            raise BadInput(
                f"Slurm job {job.job_id} ended in {result.strip().splitlines()[-1]} (log: {job.paths.stderr})"
            )
        yield result


def wait(jobs: Sequence["Job"]) -> dict[str, str]:
    """Wait until every job has left its result, or will leave none: what has become of these, by job id.

    That a job has ended the queue must say twice, since a shared file system may show a result late. submitit itself would ask the accounting, which not
    every cluster has.
    """
    before: dict[str, str] = {}
    while True:
        fates, there = queue(), {path.name for path in jobs[0].paths.folder.iterdir()}
        left = [job.job_id for job in jobs if job.paths.result_pickle.name not in there]
        lost = (
            {job: fate for job in left if (fate := fates.get(job, GONE))}
            if fates is not None
            else {}
        )
        if len(left) == len(lost) and lost.keys() <= before.keys():
            return lost
        before = lost
        time.sleep(POLL_SECONDS)


def queue() -> dict[str, str] | None:
    """What has become of each of the user's jobs, by job id: nothing yet, or the word for its end; None while Slurm does not answer.

    Jobs that ended in the last minutes are among them. One that could not be launched is put back and held, until somebody looks after it.
    """
    asked = subprocess.run(
        ["squeue", "--me", "--array", "--states=all", "--noheader", "--format=%i %T %r"],
        capture_output=True,
        text=True,
    )
    if asked.returncode:
        return None
    rows = [line.split(maxsplit=2) for line in asked.stdout.splitlines()]
    return {
        job: state if state in ENDED else why if "requeued" in why else ""
        for job, state, why in rows
    }
