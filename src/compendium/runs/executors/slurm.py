"""A Slurm cluster: runs as one job array, submitted by submitit."""

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
TIMEOUT_MIN, REQUEUES = 60, 100  # a longer run is requeued and continues from its checkpoint
ENDED = (
    "BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED SPECIAL_EXIT"
    " TIMEOUT"
).split()
GONE = "GONE"  # Slurm forgets a job some minutes after its end


class Requeued:
    """A call that Slurm may stop and requeue: it starts again and finds its checkpoint on disk."""

    def __init__(self, fn: Callable) -> None:
        self.fn = fn

    def __call__(self, *args):
        """Compute."""
        return self.fn(*args)

    def checkpoint(self, *args):
        """Return the same call, for submitit to requeue when the job is stopped."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *args)


class JobArray(Executor):
    """All calls of a `map` as one job array, with files and logs under COMPENDIUM_HOME/slurm.

    Parameters
    ----------
    workers
        Number of jobs at once; 0 for as many as the cluster allows.
    parameters
        Parameters of submitit, e.g. slurm_partition; timeout_min is of one job, after which a run
        continues in the next.

    Raises
    ------
    BadInput
        If submitit refuses the parameters, or there is no Slurm here.
    """

    def __init__(self, workers: int, parameters: Mapping[str, object]) -> None:
        from submitit import AutoExecutor

        # Not named after the job, which may start before a folder of its name is there.
        folder = home() / "slurm" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        own = {"name": "compendium", "timeout_min": TIMEOUT_MIN}
        if workers:
            own["slurm_array_parallelism"] = workers
        try:
            self.executor = AutoExecutor(
                folder=folder, cluster="slurm", slurm_max_num_timeout=REQUEUES
            )
            self.executor.update_parameters(**own | dict(parameters))
        except (RuntimeError, NameError, TypeError, ValueError, AssertionError) as error:
            raise BadInput(
                f"no Slurm job can be made here ({' '.join(str(error).split())[:200]});"
                " run on a login node, and see submitit for the parameters of --slurm"
            ) from error

    def map(self, fn: Callable, *iterables, **settings) -> Iterator:
        """Return the results, in order, when all jobs have ended."""
        return _results(self.executor.map_array(Requeued(fn), *iterables))


def _results(jobs: Sequence["Job"]) -> Iterator:
    from submitit.core.utils import pickle_load

    if lost := wait(jobs):
        ends = ", ".join(f"{job} {state}" for job, state in lost.items())
        raise BadInput(
            f"{len(lost)} of {len(jobs)} Slurm jobs left no result"
            f" (logs: {jobs[0].paths.folder}): {ends}"
        )
    for job in jobs:
        outcome, result = pickle_load(job.paths.result_pickle)
        if outcome == "error":
            raise BadInput(
                f"Slurm job {job.job_id} ended in {result.strip().splitlines()[-1]}"
                f" (log: {job.paths.stderr})"
            )
        yield result


def wait(jobs: Sequence["Job"]) -> dict[str, str]:
    """Wait until every job has left its result, or will leave none.

    A job counts as lost when the queue has reported its end twice, since a shared file system may
    show a result late. submitit would ask the accounting, which not every cluster has.

    Returns
    -------
    State of each job that is lost, by job ID.
    """
    before: dict[str, str] = {}
    while True:
        states = queue()
        files = {path.name for path in jobs[0].paths.folder.iterdir()}
        left = [job.job_id for job in jobs if job.paths.result_pickle.name not in files]
        lost = {}
        if states is not None:
            lost = {job: state for job in left if (state := states.get(job, GONE))}
        if len(left) == len(lost) and lost.keys() <= before.keys():
            return lost
        before = lost
        time.sleep(POLL_SECONDS)


def queue() -> dict[str, str] | None:
    """Ask Slurm for the user's jobs, those that ended in the last minutes included.

    Returns
    -------
    By job ID "" for a job that goes on, or the word for its end (a job that could not be launched
    is requeued and held until somebody looks after it); None while Slurm does not answer.
    """
    command = ["squeue", "--me", "--array", "--states=all", "--noheader", "--format=%i %T %r"]
    asked = subprocess.run(command, capture_output=True, text=True)
    if asked.returncode:
        return None
    rows = [line.split(maxsplit=2) for line in asked.stdout.splitlines()]
    return {
        job: state if state in ENDED else why if "requeued" in why else ""
        for job, state, why in rows
    }
