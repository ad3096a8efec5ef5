"""What each command takes and does; `compendium.__main__` makes a command line of them."""

import re
import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from compendium.errors import BadInput

EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
Run = Callable[[Namespace], None]
Argument = tuple[tuple[str, ...], dict]


@dataclass(frozen=True)
class Command:
    """A command, and its arguments as `argparse.ArgumentParser.add_argument` takes them."""

    name: str
    help: str
    run: Run
    arguments: list[Argument]


COMMANDS: list[Command] = []
ARGUMENTS: dict[Run, list[Argument]] = {}
"""Arguments of functions that `command` has not yet made commands of."""


def command(name: str, help: str) -> Callable[[Run], Run]:
    """Make a command of a function, with its line in the list of commands.

    The line is no docstring, since Python removes these where it is told to (`python -OO`).
    """

    def added(run: Run) -> Run:
        COMMANDS.append(Command(name, help, run, ARGUMENTS.pop(run, [])))
        return run

    return added


def takes(*names: str, **settings) -> Callable[[Run], Run]:
    """Give a command an argument of `argparse.ArgumentParser.add_argument`.

    Python applies the lowest decorator first: each argument goes in front of those that stand below
    it, so that the command takes them in the order in which they are read.
    """

    def added(run: Run) -> Run:
        ARGUMENTS.setdefault(run, []).insert(0, (names, settings))
        return run

    return added


def takes_names(option: str, **settings) -> Callable[[Run], Run]:
    """Give a command an option of several names."""
    return takes(option, nargs="+", metavar=option[2:-1].upper(), **settings)


def takes_pairs(option: str, **settings) -> Callable[[Run], Run]:
    """Give a command an option KEY=VALUE that may be given several times."""
    return takes(option, action="append", default=[], metavar="KEY=VALUE", **settings)


takes_cohort = takes("cohort", help="a prepared cohort, e.g. demo or her2st")
PROFILE = "a file of notebooks/profiles (default: demo)"
takes_profile = takes("--profile", default="demo", help=PROFILE)
RAW = "folder of raw files (default: where fetch puts them), or of your own data with cohort.yaml"
SPOT_SETS = "of cohort wu: filtered, the publishers' choice (default), or unfiltered"
RULES = "rules of splits (default: section-out patient-out)"
ADDRESS = "of the Dask scheduler, e.g. tcp://127.0.0.1:8786"
TABLES = "methods, inputs, architectures, training, choices, parameters, origins, protocols or"
TABLES += " deviations"


@command("fetch", help="check raw files against their published checksums and take them in")
@takes("cohort", help="cohort of data/sources.yaml, e.g. her2st")
@takes("--from", dest="source", help="folder or http(s) address with the files")
@takes_names("--sections", help="only the files of these sections")
def fetch(options: Namespace) -> None:
    """Check raw files against their published checksums and take them in."""
    from compendium.data.download import fetch as download
    from compendium.data.sources import raw_folder

    report = download.fetch(options.cohort, options.source, options.sections)
    raw = raw_folder(options.cohort)
    print(
        f"{len(report.verified)} files verified, {len(report.copied)} copied to {raw},"
        f" {len(report.absent)} absent"
    )
    for path in report.unpublished:
        print(f"no published checksum: {path} (held against the sha256 with which it first came)")
    for path, folder in report.unpacked.items():
        print(f"unpacked: {path} in {folder}")
    for path, page in report.absent.items():
        cure = f" (take it from {page} and put it at {raw / path})" if page else ""
        print(f"absent: {path}{cure}")


@command("prepare", help="read, check and store sections, ready to train on")
@takes("cohort", help="cohort of data/sources.yaml, or a name for the one in --from")
@takes("--from", dest="folder", type=Path, help=RAW)
@takes_names("--sections", help="only these sections (default: all whose counts are there)")
@takes("--tile-px", type=int, default=224, help="side of the tiles in pixels (default: 224)")
@takes("--spots", default="", help=SPOT_SETS)
def prepare(options: Namespace) -> None:
    """Read, check and store sections, ready to train on."""
    from compendium.data import prepare as preparation
    from compendium.data.sources import cohort

    chosen = (options.sections, options.tile_px, options.folder, options.spots)
    for section in preparation.prepare(options.cohort, *chosen):
        print(section, *([f"{section.spot_set} spots"] if section.spot_set else []))
    facts = cohort(options.cohort)
    print(f"{facts.title}; licence: {facts.licence}; under every image: {facts.attribution}")


@command(
    "export",
    help="write a prepared section, or what a run predicted for it, as h5ad for scanpy and squidpy",
)
@takes_cohort
@takes("section", help="e.g. B4")
@takes("out", type=Path, help="the file to write, e.g. B4.h5ad")
@takes("--run", metavar="ID", help="run whose prediction is written (default: counts)")
def export(options: Namespace) -> None:
    """Write a prepared section, or what a run predicted for it, as h5ad for scanpy and squidpy."""
    from compendium.data.export import to_anndata, write_h5ad
    from compendium.data.prepare import open_sections

    (section,) = open_sections(options.cohort, [options.section])
    if options.run is None:
        print(write_h5ad(to_anndata(section), options.out))
        return
    from compendium.runs.export import find, prediction

    print(write_h5ad(prediction(find(options.cohort, options.run), section), options.out))


@command(
    "study",
    help="fit methods on every fold of some splits: first what it will cost, then its progress",
)
@takes_cohort
@takes_names("--methods", required=True, help="e.g. ridge stnet")
@takes_names("--splits", default=["section-out", "patient-out"], help=RULES)
@takes_names("--sections", help="default: all that are prepared")
@takes_names("--seeds", type=int, default=[0], help="seeds (default: 0)")
@takes_pairs("-p", dest="parameters", help="a parameter of every run, in YAML, e.g. epochs=100")
@takes("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
@takes("--executor", default="serial", help="serial, local, dask or slurm (default: serial)")
@takes("--workers", type=int, default=0, help="runs at once (0: as many as there are)")
@takes("--address", default="", help=ADDRESS)
@takes_pairs("--slurm", help="a parameter of submitit, e.g. slurm_partition=gpu")
@takes("--show", action="store_true", help="only print the status of its runs")
def study(options: Namespace) -> None:
    """Fit methods on every fold of some splits: first what it will cost, then its progress."""
    from compendium.data.prepare import open_sections
    from compendium.runs.executors import executor
    from compendium.runs.fit import check_device
    from compendium.runs.study import progress
    from compendium.runs.study.runs import planned

    device, slurm = check_device(options.device), _typed("--slurm", options.slurm)
    combined = (options.splits, options.methods, options.seeds)
    parameters = _typed("-p", options.parameters)
    names, runs = planned(options.cohort, options.sections, *combined, parameters)
    sections = open_sections(options.cohort, names)
    if options.show:
        print(*progress.table(runs, sections), sep="\n")
        return
    started = ExitStack()
    where = {"workers": options.workers, "address": options.address, "slurm": slurm}
    pool, workers = started.enter_context(executor(options.executor, **where))
    try:
        with started:  # the table is printed when the workers have ended
            progress.run_study(runs, sections, pool, _to_stderr, workers=workers, device=device)
    finally:
        print(*progress.table(runs, sections), sep="\n")


@command("table", help="print a table of what is registered about the methods")
@takes("name", help=TABLES)
def table(options: Namespace) -> None:
    """Print a table of what is registered about the methods."""
    from compendium.book.site import method_tables

    print(method_tables.as_text(method_tables.table(options.name)))


@command("chapter", help="run one chapter with papermill and put it into the book")
@takes("name", help="e.g. id-loocv")
@takes_profile
@takes_pairs("-p", dest="parameters", help="a parameter, in YAML, e.g. 'methods=[ridge,stnet]'")
@takes("--out", type=Path, help="write the notebook here instead of into the book")
def chapter(options: Namespace) -> None:
    """Run one chapter with papermill and put it into the book."""
    from compendium.book.run.chapters import run_chapter

    print(run_chapter(options.name, options.profile, _pairs("-p", options.parameters), options.out))


@command("book", help="run the chapters that are out of date and build the pages")
@takes_profile
@takes("--no-run", action="store_true", help="build the pages without running chapters")
def book(options: Namespace) -> None:
    """Run the chapters that are out of date and build the pages."""
    from compendium.book.notebook import profiles
    from compendium.book.run import chapters
    from compendium.book.site import render as site

    if not options.no_run:
        chapters.run_outdated(options.profile)
    print(site.render(profiles.root()))


@command(
    "publish",
    help="add finished fits and tables of a profile's chapters to data/reference",
)
@takes("profile", help="e.g. her2st-subset")
@takes_names("--chapters", help="only these (default: all that the profile names)")
def publish(options: Namespace) -> None:
    """Add finished fits and tables of a profile's chapters to data/reference."""
    from compendium.book.run.publish import LIMIT_MB, publish

    report = publish(options.profile, options.chapters)
    written = [*report.added, *report.weights]
    print(*written, sep="\n", end="\n" * bool(written))
    print(
        f"{len(report.added)} published runs added, {report.kept} there already,"
        f" {report.unfinished} not finished, {report.removed} removed that no chapter plans;"
        f" tables of {', '.join(report.chapters) or 'no chapter'};"
        f" {report.megabytes:.1f} of {LIMIT_MB} MB"
    )


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _typed(option: str, given: list[str]) -> dict[str, object]:
    """KEY=VALUE options, values read as YAML, and 1e-4 as a number, unlike YAML 1.1."""
    import yaml

    try:
        values = {key: yaml.safe_load(value) for key, value in _pairs(option, given).items()}
    except yaml.YAMLError as error:
        raise BadInput(
            f"{option}: a value is not YAML ({str(error).splitlines()[0]}); give e.g. epochs=50"
        ) from error
    return {
        key: float(value) if isinstance(value, str) and EXPONENT.fullmatch(value) else value
        for key, value in values.items()
    }


def _pairs(option: str, given: list[str]) -> dict[str, str]:
    """KEY=VALUE options."""
    pairs = [pair.partition("=") for pair in given]
    for key, equals, _ in pairs:
        if not equals or not key:
            raise BadInput(f"{option} {key} is not of the form KEY=VALUE, e.g. -p seed=1")
    return {key: value for key, _, value in pairs}
