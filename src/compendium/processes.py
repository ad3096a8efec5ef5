"""Worker processes that end with the process that started them."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection


@contextmanager
def workers(
    count: int, start: Callable[..., None] | None = None, arguments: tuple = ()
) -> Iterator[ProcessPoolExecutor]:
    """Start worker processes.

    They end with this process, however it ends, and at once if the block ends in an error.

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
    with theirs, mine, ProcessPoolExecutor(count, mp_context=context, **begin) as pool:
        try:
            yield pool
        except BaseException:
            mine.close()
            raise


def _begin(parent: Connection, start: Callable[..., None] | None, arguments: tuple) -> None:
    # Ctrl-C reaches the parent too, which then closes its end
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    if start:
        start(*arguments)


def _end_with(parent: Connection) -> None:
    parent.poll(None)
    os._exit(1)
