"""The command line. Bad input is one line on stderr and exit status 2."""

import argparse
import os
import sys

from compendium import __version__, commands
from compendium.errors import BadInput, cause


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        """One line instead of a page of usage."""
        raise BadInput(f"{message}; see {self.prog} --help")


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    top = _Parser(
        prog="compendium",
        description="Spatial gene expression from H&E images: prepare data, compute studies, run chapters, build the book.",
    )
    top.add_argument("--version", action="version", version=__version__)
    listed = top.add_subparsers(dest="command", required=True, parser_class=_Parser)
    for add in commands.EVERY:
        add(listed)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when done, 2 for input that has to be mended, 130 when interrupted."""
    try:
        options = parser().parse_args(arguments)
        options.do(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _ended(
            "interrupted; what was finished is kept, run the same command to continue", 130
        )
    except BrokenPipeError:  # whoever read the output has had enough
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
