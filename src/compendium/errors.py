"""The error that a user can mend, and one line for errors that are no fault of the program."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class BadInput(ValueError):
    """Input that cannot be used. The message is one line: what is wrong, where, how to mend it.

    The command line prints it and ends with exit status 2; notebooks and tests see the exception.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the start of a cure for a misspelt name, or "" where nothing known is like it."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}? " if near else ""


def one_line(error: BaseException) -> str:
    """Return the message of an error in one line."""
    return " ".join(str(error).split())


@contextmanager
def about(where: str) -> Iterator[None]:
    """Begin the message of bad input in the block with what it is about, unless it does."""
    try:
        yield
    except BadInput as error:
        if str(error).startswith(where):
            raise
        raise BadInput(f"{where}: {error}") from error


@contextmanager
def refusing(
    kinds: type[Exception] | tuple[type[Exception], ...], what: str, mend: str
) -> Iterator[None]:
    """Turn errors of libraries in the block into bad input: `what (the error); mend`.

    Bad input, too little memory and a library that is not installed stay what they are.
    """
    try:
        yield
    except (BadInput, MemoryError, ImportError):
        raise
    except kinds as error:
        raise BadInput(f"{what} ({one_line(error)}); {mend}") from error


def cause(error: BaseException) -> str:
    """Describe bad input, too little memory, or a disk that refuses; return "" for other errors."""
    message = one_line(error)
    if isinstance(error, BadInput):
        return message
    of_torch = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in message
    if isinstance(error, MemoryError) or of_torch:
        cure = "lower batch, width, --tile-px or the number of workers, or take fewer sections"
        return f"out of memory; {cure}"
    if isinstance(error, ConnectionError | TimeoutError):
        cure = "check the address and the network, and run the same command again"
        return f"a connection ended ({message}); {cure}"
    if isinstance(error, OSError):
        what, why = error.filename or "a file", error.strerror or message
        return f"{what} cannot be read or written ({why}); check the disk and its permissions"
    return ""
