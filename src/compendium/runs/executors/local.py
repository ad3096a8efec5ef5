"""Engines: where runs are computed. Each is a concurrent.futures.Executor, so that one `execute` serves them all.

    serial   in this process, one after the other
    local    processes on this machine, one a GPU, or one a core
    dask     the workers of a running Dask scheduler, over loopback or TLS
    slurm    one job array of a Slurm cluster; a job that is put back into the queue goes on from its checkpoint

All workers must see the same COMPENDIUM_HOME, over a file system on which flock works: the store is where results are handed over, and two workers
that want the same run make it once.
"""

import ipaddress
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.queues import Queue
from urllib.parse import urlsplit

import torch
from tqdm import tqdm

from compendium import processes
from compendium.errors import BadInput
from compendium.machine import cores

EXECUTORS = ("serial", "local", "dask", "slurm")
CONNECT_SECONDS = 10


class Serial(Executor):
    """Computes each call where and when it is submitted."""

    def submit(self, fn, /, *args, **kwargs) -> Future:
        """A future that is already done."""
        future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  what a future is for
            future.set_exception(error)
        return future


@contextmanager
def engine(
    word: str = "serial",
    *,
    workers: int = 0,
    address: str = "",
    slurm: Mapping[str, object] | None = None,
) -> Iterator[tuple[Executor, int]]:
    """The named engine, for the length of the block, and how many runs it computes at once.

    workers: how many at once; 0 takes one a GPU or core (local), or as many as the cluster allows (slurm). Dask and serial have what they have.
    address: of the Dask scheduler, e.g. tcp://127.0.0.1:8786 or tls://HOST:8786. slurm: parameters of submitit, e.g. slurm_partition, timeout_min.
    """
    if word not in EXECUTORS:
        raise BadInput(f"unknown engine {word!r}; known: {', '.join(ENGINES)}")
    if workers < 0:
        raise BadInput(f"workers is {workers}; give 1 or more, or 0 for as many as there are")
    for what, given, fits in (
        ("--address", address, ("dask",)),
        ("--slurm", slurm, ("slurm",)),
        ("--workers", workers, ("local", "slurm")),
    ):
        if given and word not in fits:
            raise BadInput(f"{what} goes with engine {' or '.join(fits)}, not with {word}")
    match word:
        case "serial":
            yield Serial(), 1
        case "local":
            count = workers or torch.cuda.device_count() or cores()
            with _local(count) as pool:
                yield pool, count
        case "dask":
            with _dask(address) as found:
                yield found
        case _:
            from compendium.runs.executors.slurm import JobArray

            yield JobArray(workers, slurm or {}), workers


@contextmanager
def _local(count: int) -> Iterator[Executor]:
    """Processes that share the GPUs, or else the cores, among them."""
    turns = get_context("spawn").Queue()
    for turn in range(count):
        turns.put(turn)
    with processes.workers(count, _claim, (turns, gpus(), max(1, cores() // count))) as pool:
        yield pool


def gpus() -> list[str]:
    """Names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES states them."""
    names = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return names if names != [""] else [str(i) for i in range(torch.cuda.device_count())]


def _claim(turns: "Queue[int]", gpus: list[str], threads: int) -> None:
    """Give a new worker a GPU of its own, as far as there are any, and its share of the cores."""
    tqdm.set_lock(threading.RLock())  # its own would outlive a worker that is killed
    turn = turns.get()
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[turn % len(gpus)]
    torch.set_num_threads(threads)


@contextmanager
def _dask(address: str) -> Iterator[tuple[Executor, int]]:
    from distributed import Client

    check_address(address)
    logging.getLogger("distributed").setLevel(
        logging.CRITICAL
    )  # a scheduler that ends is told in one line, by whoever waits for it
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:  # TypeError where tls has no certificates
        raise BadInput(
            f"no Dask scheduler answers at {address} ({' '.join(str(error).split())[:120]}); start one with: dask scheduler"
        ) from error
    with client:
        workers = client.nthreads()
        if not workers:
            raise BadInput(
                f"the Dask scheduler at {address} has no workers; start some with: dask worker --nthreads 1 {address}"
            )
        yield (
            client.get_executor(pure=False),
            len(workers),
        )  # pure would answer from an earlier attempt; a worker makes one run at a time


def check_address(address: str) -> None:
    """Refuse a scheduler that anybody on the network could talk to: Dask runs whatever it is sent."""
    try:
        parts = urlsplit(address)
        known = parts.scheme in ("tcp", "tls") and parts.hostname and parts.port
    except ValueError:
        known = False
    if not known:
        raise BadInput(
            f"--address {address!r} is no address of a Dask scheduler; give e.g. tcp://127.0.0.1:8786 or tls://HOST:8786"
        )
    if parts.scheme == "tcp" and not _is_loopback(parts.hostname):
        raise BadInput(
            f"--address {address} would carry code over the network unprotected; use tls://, or tcp:// on this machine only"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
