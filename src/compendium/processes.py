"""Worker processes that share the cores and end with the process that started them."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

from compendium.machine import cores

THREADS = "OMP_NUM_THREADS"  # read by torch, BLAS and kernels of notebooks when they start


@contextmanager
def workers(
    count: int, start: Callable[..., None] | None = None, arguments: tuple = ()
) -> Iterator[ProcessPoolExecutor]:
    """Start worker processes.

    They end with this process, however it ends, and at once if the block ends in an error. Each has
    its share of the cores, and so have the processes that it starts, unless OMP_NUM_THREADS is set.

    Parameters
    ----------
    count
        Number of processes.
    start
        Called first in each process.
    arguments
        Arguments of `start`.
    """
    context = get_context("spawn")
    theirs, mine = context.Pipe(duplex=False)
    begin = {"initializer": _begin, "initargs": (theirs, start, arguments)}
    pool = ProcessPoolExecutor(count, mp_context=context, **begin)
    with theirs, mine, _threads(max(1, cores() // count)), pool:
        try:
            yield pool
        except BaseException:
            mine.close()
            raise


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let processes that are started in the block compute with so many threads."""
    if THREADS in os.environ:
        yield
        return
    os.environ[THREADS] = str(count)
    try:
        yield
    finally:
        del os.environ[THREADS]


def _begin(parent: Connection, start: Callable[..., None] | None, arguments: tuple) -> None:
    # Ctrl-C reaches the parent too, which then closes its end
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    if start:
        start(*arguments)


def _end_with(parent: Connection) -> None:
    parent.poll(None)
    os._exit(1)
