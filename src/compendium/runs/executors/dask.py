"""The workers of a running Dask scheduler."""

import ipaddress
import logging
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from urllib.parse import urlsplit

from compendium.errors import BadInput

CONNECT_SECONDS = 10


@contextmanager
def client(address: str) -> Iterator[tuple[Executor, int]]:
    """Connect to a scheduler for the length of the block.

    Parameters
    ----------
    address
        Address of the scheduler, e.g. tcp://127.0.0.1:8786.

    Yields
    ------
    Its executor, and its number of workers, each of which computes one run at a time.

    Raises
    ------
    BadInput
        If nobody answers there, or there are no workers.
    """
    from distributed import Client

    check_address(address)
    # A scheduler that ends is reported in one line by whoever waits for it.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        connected = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:  # TypeError where tls has no certificates
        raise BadInput(
            f"no Dask scheduler answers at {address} ({' '.join(str(error).split())[:120]});"
            " start one with: dask scheduler"
        ) from error
    with connected:
        if not (workers := connected.nthreads()):
            raise BadInput(
                f"the Dask scheduler at {address} has no workers; start some with:"
                f" dask worker --nthreads 1 {address}"
            )
        # pure=True would answer with the result of an earlier attempt
        yield connected.get_executor(pure=False), len(workers)


def check_address(address: str) -> None:
    """Refuse a scheduler to which anybody on the network could send code.

    Raises
    ------
    BadInput
        If the address is none, or unprotected and not of this machine.
    """
    try:
        parts = urlsplit(address)
        known = parts.scheme in ("tcp", "tls") and parts.hostname and parts.port
    except ValueError:
        known = False
    if not known:
        raise BadInput(
            f"--address {address!r} is no address of a Dask scheduler;"
            " give e.g. tcp://127.0.0.1:8786 or tls://HOST:8786"
        )
    if parts.scheme == "tcp" and not _is_loopback(parts.hostname):
        raise BadInput(
            f"--address {address} would carry code over the network unprotected;"
            " use tls://, or tcp:// on this machine only"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
