"""The error that a user can mend, and the one line for whatever ends a command without being a fault of the program."""

import difflib
from collections.abc import Iterable


class BadInput(ValueError):
    """Input that cannot be used. The message is one line: what is wrong, where, and how to mend it.

    The command line prints it and ends with exit status 2; notebooks and tests see the exception.
    """


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The start of a cure for a misspelt word, "" where nothing known is like it."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}? " if near else ""


def cause(error: BaseException) -> str:
    """The line for bad input, too little memory, or a disk that refuses; "" for any other error."""
    said = " ".join(str(error).split())
    if isinstance(error, BadInput):
        return said
    if (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "can't allocate memory" in said
    ):  # the latter two are torch's
        return "out of memory; lower batch, width, --tile-px or the number of workers, or take fewer sections"
    if isinstance(error, ConnectionError | TimeoutError):
        return f"a connection ended ({said}); check the address and the network, and run the same command again"
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'} cannot be read or written ({error.strerror or said}); check the disk and its permissions"
    return ""
