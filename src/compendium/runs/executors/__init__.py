"""Executors: where runs are computed. Each is a concurrent.futures.Executor.

    serial   in this process, one after the other
    local    processes on this machine, one a GPU, or one a core
    dask     the workers of a running Dask scheduler, over loopback or TLS
    slurm    one job array of a Slurm cluster; a requeued job continues from its checkpoint

All workers must see the same COMPENDIUM_HOME, on a file system on which flock works: results are
handed over in the store, and a run that two workers want is computed once.
"""

from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext

from compendium.errors import BadInput
from compendium.runs.executors.dask import client
from compendium.runs.executors.local import Serial, pool
from compendium.runs.executors.slurm import JobArray

EXECUTORS = ("serial", "local", "dask", "slurm")
OPTIONS = {"address": ("dask",), "slurm": ("slurm",), "workers": ("local", "slurm")}
"""Options of the command line, and the executors that take them."""


def executor(
    name: str = "serial", *, workers: int = 0, address: str = "", slurm: Mapping | None = None
) -> AbstractContextManager[tuple[Executor, int]]:
    """Start an executor for the length of the block.

    Parameters
    ----------
    name
        One of EXECUTORS.
    workers
        Number of runs at once; 0 for one a GPU or core (local), or as many as the cluster allows
        (slurm). dask and serial have what they have.
    address
        Address of the Dask scheduler, e.g. tcp://127.0.0.1:8786 or tls://HOST:8786.
    slurm
        Parameters of submitit, e.g. slurm_partition, timeout_min.

    Returns
    -------
    Context of the executor and how many runs it computes at once (0 where that is not known).

    Raises
    ------
    BadInput
        If there is no such executor, or it does not take an option.
    """
    _check(name, {"workers": workers, "address": address, "slurm": slurm})
    match name:
        case "local":
            return pool(workers)
        case "dask":
            return client(address)
        case "slurm":
            return nullcontext((JobArray(workers, slurm or {}), workers))
    return nullcontext((Serial(), 1))


def _check(name: str, options: Mapping[str, object]) -> None:
    if name not in EXECUTORS:
        raise BadInput(f"unknown executor {name!r}; known: {', '.join(EXECUTORS)}")
    if options["workers"] < 0:
        raise BadInput(
            f"workers is {options['workers']}; give 1 or more, or 0 for as many as there are"
        )
    mistakes = [
        f"--{option} goes with executor {' or '.join(fits)}, not with {name}"
        for option, fits in OPTIONS.items()
        if options[option] and name not in fits
    ]
    if mistakes:
        raise BadInput("; ".join(mistakes))
