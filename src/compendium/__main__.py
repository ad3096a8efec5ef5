"""The command line: fetch, prepare, chapter, book. Bad input is one line on stderr and exit status 2."""

import argparse
import sys
from pathlib import Path

from compendium import __version__
from compendium.errors import BadInput


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        """One line instead of a page of usage."""
        raise BadInput(f"{message}; see {self.prog} --help")


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    top = _Parser(prog="compendium", description="Spatial gene expression from H&E images: prepare data, run chapters, build the book.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="command", required=True, parser_class=_Parser)

    fetch = commands.add_parser("fetch", help="check raw files against their published checksums and take them in")
    fetch.add_argument("cohort", help="cohort of data/sources.yaml, e.g. her2st")
    fetch.add_argument("--from", dest="folder", type=Path, help="folder that holds the cohort's files in their published layout")
    fetch.add_argument("--sections", nargs="+", metavar="SECTION", help="only the files of these sections")
    fetch.set_defaults(do=_fetch)

    prepare = commands.add_parser("prepare", help="read, check and store sections, ready to train on")
    prepare.add_argument("cohort", help="cohort of data/sources.yaml, e.g. demo or her2st")
    prepare.add_argument("--sections", nargs="+", metavar="SECTION", help="only these sections (default: all whose counts are there)")
    prepare.add_argument("--tile-px", type=int, default=224, help="side of the stored patches in pixels of the full image (default: %(default)s)")
    prepare.set_defaults(do=_prepare)

    chapter = commands.add_parser("chapter", help="run one chapter with papermill and put it into the book")
    chapter.add_argument("name", help="e.g. id-loocv")
    chapter.add_argument("--profile", default="demo", help="what it is run on: a file of notebooks/profiles (default: %(default)s)")
    chapter.add_argument("-p", dest="parameters", action="append", default=[], metavar="KEY=VALUE", help="a parameter of the chapter, value in YAML, e.g. 'methods=[ridge,stnet]'")
    chapter.add_argument("--out", type=Path, help="write the executed notebook here instead of into the book")
    chapter.set_defaults(do=_chapter)

    book = commands.add_parser("book", help="run the chapters that are out of date and build the pages")
    book.add_argument("--profile", default="demo", help="what the chapters are run on (default: %(default)s)")
    book.add_argument("--no-run", action="store_true", help="build the pages from the chapters as they were last run, whatever has changed")
    book.set_defaults(do=_book)
    return top


def _fetch(options: argparse.Namespace) -> None:
    from compendium.data.sources import fetch_from, raw_folder

    report = fetch_from(options.cohort, options.folder, options.sections)
    print(f"{len(report.verified)} files verified, {len(report.copied)} copied to {raw_folder(options.cohort)}, {len(report.absent)} absent")
    for path in report.absent:
        print(f"absent: {path}")


def _prepare(options: argparse.Namespace) -> None:
    from compendium.data.prepare import prepare

    for section in prepare(options.cohort, options.sections, options.tile_px):
        print(section)


def _chapter(options: argparse.Namespace) -> None:
    from compendium.book.chapters import run_chapter

    pairs = [pair.partition("=") for pair in options.parameters]
    for key, equals, _ in pairs:
        if not equals or not key:
            raise BadInput(f"-p {key} is not of the form KEY=VALUE, e.g. -p seed=1")
    print(run_chapter(options.name, options.profile, {key: value for key, _, value in pairs}, options.out))


def _book(options: argparse.Namespace) -> None:
    from compendium.book import chapters, profiles, site

    print(site.render(profiles.root()) if options.no_run else chapters.build(options.profile))


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when done, 2 for input that has to be mended, 130 when interrupted."""
    try:
        options = parser().parse_args(arguments)
        options.do(options)
    except BadInput as error:
        return _ended(str(error), 2)
    except MemoryError:
        return _ended("out of memory; run fewer sections at once, or lower batch, width or --tile-px", 2)
    except OSError as error:
        return _ended(f"{error.filename or 'a file'} cannot be read or written ({error.strerror or error}); check the disk and its permissions", 2)
    except KeyboardInterrupt:
        return _ended("interrupted; what was finished is kept, run the same command to continue", 130)
    return 0


def _ended(line: str, status: int) -> int:
    """Say in one line how a command ended."""
    print(f"compendium: {' '.join(line.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
