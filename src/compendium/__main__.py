"""The command line. Bad input is one line on stderr and exit status 2."""

import argparse
import os
import sys

from compendium import __version__
from compendium.commands import COMMANDS
from compendium.errors import BadInput, cause
from compendium.machine import keep_freed_memory

DESCRIPTION = (
    "Spatial gene expression from H&E images: prepare data, compute studies, run chapters, build"
    " the book."
)
INTERRUPTED = "interrupted; what was finished is kept, run the same command to continue"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        """One line instead of a page of usage."""
        raise BadInput(f"{message}; see {self.prog} --help")


def parser() -> argparse.ArgumentParser:
    """Build the parser of every command and option."""
    top = _Parser(prog="compendium", description=DESCRIPTION)
    top.add_argument("--version", action="version", version=__version__)
    listed = top.add_subparsers(dest="command", required=True, parser_class=_Parser)
    for command in COMMANDS:
        added = listed.add_parser(command.name, help=command.help)
        added.set_defaults(run_command=command.run)
        for names, settings in command.arguments:
            added.add_argument(*names, **settings)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        Command and options; None for those of the process.

    Returns
    -------
    0 when done, 2 for input that has to be mended, 130 when interrupted.
    """
    keep_freed_memory()
    try:
        options = parser().parse_args(arguments)
        options.run_command(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _ended(INTERRUPTED, 130)
    except BrokenPipeError:  # the reader of the output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if line := cause(error):
            return _ended(line, 2)
        raise
    return 0


def _ended(line: str, status: int) -> int:
    """Say in one line how a command ended."""
    print(f"compendium: {' '.join(line.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
