"""The one error a user can mend."""


class BadInput(ValueError):
    """Input that cannot be used. The message is one line: what is wrong, where, and how to mend it.

    The command line prints it and ends with exit status 2; notebooks and tests see the exception.
    """
