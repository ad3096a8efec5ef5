"""The command line: fetch, prepare, chapter, book. Bad input is one line on stderr and exit status 2."""

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from compendium import __version__
from compendium.errors import BadInput, cause

if TYPE_CHECKING:
    from compendium.runs import Run


EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


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
    fetch.add_argument("--from", dest="source", metavar="FOLDER_OR_ADDRESS", help="a folder, or a mirror's http(s) address, that holds the files in their published layout")
    fetch.add_argument("--sections", nargs="+", metavar="SECTION", help="only the files of these sections")
    fetch.set_defaults(do=_fetch)

    prepare = commands.add_parser("prepare", help="read, check and store sections, ready to train on")
    prepare.add_argument("cohort", help="cohort of data/sources.yaml, e.g. demo or her2st; or a name for the one in --from")
    prepare.add_argument("--from", dest="folder", type=Path, help="folder of the raw files (default: where fetch puts them), or of data of your own with its cohort.yaml")
    prepare.add_argument("--sections", nargs="+", metavar="SECTION", help="only these sections (default: all whose counts are there)")
    prepare.add_argument("--tile-px", type=int, default=224, help="side of the stored patches in pixels of the full image (default: %(default)s)")
    prepare.set_defaults(do=_prepare)

    export = commands.add_parser("export", help="write a prepared section, or what a run predicted for it, as h5ad for scanpy and squidpy")
    export.add_argument("cohort", help="a prepared cohort, e.g. demo or her2st")
    export.add_argument("section", help="e.g. B4")
    export.add_argument("out", type=Path, help="the file to write, e.g. B4.h5ad")
    export.add_argument("--run", metavar="ID", help="the stored run whose prediction is written (default: the measured counts)")
    export.set_defaults(do=_export)

    study = commands.add_parser("study", help="fit methods on every fold of some splits: what it will cost, then how it goes")
    study.add_argument("cohort", help="a prepared cohort, e.g. demo or her2st")
    study.add_argument("--methods", nargs="+", required=True, metavar="METHOD", help="e.g. ridge stnet")
    study.add_argument("--splits", nargs="+", default=["section-out", "patient-out"], metavar="SPLIT", help="default: section-out patient-out")
    study.add_argument("--sections", nargs="+", metavar="SECTION", help="default: all that are prepared")
    study.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="SEED", help="default: 0")
    study.add_argument("-p", dest="parameters", action="append", default=[], metavar="KEY=VALUE", help="a word of every run, value in YAML, e.g. budget=full or epochs=100")
    study.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    study.add_argument("--engine", default="serial", help="where it is computed: serial, local, dask or slurm (default: %(default)s)")
    study.add_argument("--workers", type=int, default=0, help="how many runs at once (default: as many as the engine has)")
    study.add_argument("--address", default="", help="of the Dask scheduler, e.g. tcp://127.0.0.1:8786")
    study.add_argument("--slurm", action="append", default=[], metavar="KEY=VALUE", help="a word of the jobs as submitit names it, e.g. timeout_min=240, slurm_partition=gpu")
    study.add_argument("--show", action="store_true", help="only say how its runs stand and what is left to do")
    study.add_argument("--redo-stale", action="store_true", help="make runs again that other code than today's has made")
    study.set_defaults(do=_study)

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
    from compendium.data.fetch import fetch
    from compendium.data.sources import raw_folder

    report, raw = fetch(options.cohort, options.source, options.sections), raw_folder(options.cohort)
    print(f"{len(report.verified)} files verified, {len(report.copied)} copied to {raw}, {len(report.absent)} absent")
    for path in report.unpublished:
        print(f"no published checksum: {path} (held against the sha256 with which it first came)")
    for path, folder in report.unpacked.items():
        print(f"unpacked: {path} in {folder}")
    for path, page in report.absent.items():
        print(f"absent: {path}" + (f" (take it from {page} and put it at {raw / path})" if page else ""))


def _prepare(options: argparse.Namespace) -> None:
    from compendium.data.prepare import prepare
    from compendium.data.sources import cohort

    for section in prepare(options.cohort, options.sections, options.tile_px, options.folder):
        print(section)
    facts = cohort(options.cohort)
    print(f"{facts.title}; licence: {facts.licence}; under every image: {facts.attribution}")


def _export(options: argparse.Namespace) -> None:
    from compendium.data.export import to_anndata, write_h5ad
    from compendium.data.prepare import open_sections

    (section,) = open_sections(options.cohort, [options.section])
    if options.run is None:
        print(write_h5ad(to_anndata(section), options.out))
    else:
        from compendium.runs.export import find, prediction

        print(write_h5ad(prediction(find(options.cohort, options.run), section), options.out))


def _study(options: argparse.Namespace) -> None:
    from compendium.data.prepare import open_sections
    from compendium.runs.conduct import conduct, report
    from compendium.runs.engines import engine
    from compendium.runs.fit import pick_device

    device, slurm = pick_device(options.device), _typed("--slurm", options.slurm)
    names, runs = _planned(options)
    sections = open_sections(options.cohort, names)
    if options.show:
        print(*report(runs, sections), sep="\n")
        return
    with engine(options.engine, workers=options.workers, address=options.address, slurm=slurm) as (executor, workers):
        try:
            conduct(runs, sections, executor, _to_stderr, workers=workers, device=device, redo_stale=options.redo_stale)
        finally:
            print(*report(runs, sections), sep="\n")


def _planned(options: argparse.Namespace) -> tuple[list[str], list["Run"]]:
    """The sections of a study and its runs, each once; from the catalogue alone, so that what is mistyped is said before a cohort is generated."""
    from compendium.data.prepare import prepared_names
    from compendium.data.sources import cohort
    from compendium.runs import study

    words, facts = _typed("-p", options.parameters), cohort(options.cohort)
    if taken := [word for word in words if word in ("cohort", "method", "methods", "rules", "sections", "seed", "split")]:
        raise BadInput(f"-p {taken[0]} is no word of a single run here; give --methods, --splits, --sections or --seeds")
    names = list(dict.fromkeys(options.sections or prepared_names(facts.name)))
    if not names:
        raise BadInput(f"no section of {facts.name} is prepared: run compendium prepare {facts.name} first")
    placed = [facts.section(name) for name in names]
    runs = [run for seed in options.seeds for run in study(facts.name, placed, options.splits, options.methods, seed=seed, **words)]
    return names, list(dict.fromkeys(runs))


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _typed(option: str, given: list[str]) -> dict[str, object]:
    """KEY=VALUE words of an option, values read as YAML, and 1e-4 as a number, as everybody but YAML 1.1 does."""
    import yaml

    try:
        values = {key: yaml.safe_load(value) for key, value in _pairs(option, given).items()}
        return {key: float(value) if isinstance(value, str) and EXPONENT.fullmatch(value) else value for key, value in values.items()}
    except yaml.YAMLError as error:
        raise BadInput(f"{option}: a value is not YAML ({str(error).splitlines()[0]}); give e.g. epochs=50") from error


def _pairs(option: str, given: list[str]) -> dict[str, str]:
    """KEY=VALUE words of an option."""
    pairs = [pair.partition("=") for pair in given]
    for key, equals, _ in pairs:
        if not equals or not key:
            raise BadInput(f"{option} {key} is not of the form KEY=VALUE, e.g. -p seed=1")
    return {key: value for key, _, value in pairs}


def _chapter(options: argparse.Namespace) -> None:
    from compendium.book.chapters import run_chapter

    print(run_chapter(options.name, options.profile, _pairs("-p", options.parameters), options.out))


def _book(options: argparse.Namespace) -> None:
    from compendium.book import chapters, profiles, site

    print(site.render(profiles.root()) if options.no_run else chapters.build(options.profile))


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when done, 2 for input that has to be mended, 130 when interrupted."""
    try:
        options = parser().parse_args(arguments)
        options.do(options)
    except KeyboardInterrupt:
        return _ended("interrupted; what was finished is kept, run the same command to continue", 130)
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
