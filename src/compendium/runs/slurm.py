"""The Slurm engine: runs as one job array, submitted by submitit."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor

from compendium.disk import home
from compendium.errors import BadInput


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
    """All calls of a `map` as one job array, at most `workers` at once; their logs lie under COMPENDIUM_HOME/slurm."""

    def __init__(self, workers: int, words: Mapping[str, object]) -> None:
        from submitit import AutoExecutor

        try:
            self.executor = AutoExecutor(folder=home() / "slurm" / "%j", cluster="slurm")
            self.executor.update_parameters(name="compendium", **({"slurm_array_parallelism": workers} if workers else {}), **words)
        except (RuntimeError, NameError, TypeError, ValueError) as error:
            raise BadInput(f"no Slurm job can be made here ({' '.join(str(error).split())[:200]}); run on a login node, and see submitit for the words of --slurm") from error

    def map(self, fn: Callable, *iterables, timeout: float | None = None, chunksize: int = 1) -> Iterator:
        """The results, in order."""
        jobs = self.executor.map_array(Requeued(fn), *iterables)
        return (job.result() for job in jobs)
