"""What each command takes and does; `compendium.__main__` makes a command line of them."""

import argparse
import re
import sys
from contextlib import ExitStack
from pathlib import Path

from compendium.errors import BadInput

EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
Commands = argparse._SubParsersAction


def fetch(commands: Commands) -> None:
    """Bring the raw files of a cohort."""
    command = commands.add_parser(
        "fetch", help="check raw files against their published checksums and take them in"
    )
    command.add_argument("cohort", help="cohort of data/sources.yaml, e.g. her2st")
    command.add_argument(
        "--from",
        dest="source",
        metavar="FOLDER_OR_ADDRESS",
        help="a folder, or a mirror's http(s) address, that holds the files in their published layout",
    )
    command.add_argument(
        "--sections", nargs="+", metavar="SECTION", help="only the files of these sections"
    )
    command.set_defaults(do=_fetch)


def _fetch(options: argparse.Namespace) -> None:
    from compendium.data.download.fetch import fetch
    from compendium.data.sources import raw_folder

    report, raw = (
        fetch(options.cohort, options.source, options.sections),
        raw_folder(options.cohort),
    )
    print(
        f"{len(report.verified)} files verified, {len(report.copied)} copied to {raw}, {len(report.absent)} absent"
    )
    for path in report.unpublished:
        print(f"no published checksum: {path} (held against the sha256 with which it first came)")
    for path, folder in report.unpacked.items():
        print(f"unpacked: {path} in {folder}")
    for path, page in report.absent.items():
        print(
            f"absent: {path}"
            + (f" (take it from {page} and put it at {raw / path})" if page else "")
        )


def prepare(commands: Commands) -> None:
    """Read raw files into sections."""
    command = commands.add_parser(
        "prepare", help="read, check and store sections, ready to train on"
    )
    command.add_argument(
        "cohort",
        help="cohort of data/sources.yaml, e.g. demo or her2st; or a name for the one in --from",
    )
    command.add_argument(
        "--from",
        dest="folder",
        type=Path,
        help="folder of the raw files (default: where fetch puts them), or of data of your own with its cohort.yaml",
    )
    command.add_argument(
        "--sections",
        nargs="+",
        metavar="SECTION",
        help="only these sections (default: all whose counts are there)",
    )
    command.add_argument(
        "--tile-px",
        type=int,
        default=224,
        help="side of the stored patches in pixels of the full image (default: %(default)s)",
    )
    command.add_argument(
        "--spots",
        default="",
        help="of the cohort wu: filtered, the publishers' choice (default), or unfiltered, every spot in tissue",
    )
    command.set_defaults(do=_prepare)


def _prepare(options: argparse.Namespace) -> None:
    from compendium.data.prepare import prepare
    from compendium.data.sources import cohort

    for section in prepare(
        options.cohort, options.sections, options.tile_px, options.folder, options.spots
    ):
        print(section, *([f"{section.spot_set} spots"] if section.spot_set else []))
    facts = cohort(options.cohort)
    print(f"{facts.title}; licence: {facts.licence}; under every image: {facts.attribution}")


def export(commands: Commands) -> None:
    """A section or a prediction for other tools."""
    command = commands.add_parser(
        "export",
        help="write a prepared section, or what a run predicted for it, as h5ad for scanpy and squidpy",
    )
    command.add_argument("cohort", help="a prepared cohort, e.g. demo or her2st")
    command.add_argument("section", help="e.g. B4")
    command.add_argument("out", type=Path, help="the file to write, e.g. B4.h5ad")
    command.add_argument(
        "--run",
        metavar="ID",
        help="the stored run whose prediction is written (default: the measured counts)",
    )
    command.set_defaults(do=_export)


def _export(options: argparse.Namespace) -> None:
    from compendium.data.export import to_anndata, write_h5ad
    from compendium.data.prepare import open_sections

    (section,) = open_sections(options.cohort, [options.section])
    if options.run is None:
        print(write_h5ad(to_anndata(section), options.out))
    else:
        from compendium.runs.export import find, prediction

        print(write_h5ad(prediction(find(options.cohort, options.run), section), options.out))


def study(commands: Commands) -> None:
    """Many runs."""
    command = commands.add_parser(
        "study",
        help="fit methods on every fold of some splits: what it will cost, then how it goes",
    )
    command.add_argument("cohort", help="a prepared cohort, e.g. demo or her2st")
    command.add_argument(
        "--methods", nargs="+", required=True, metavar="METHOD", help="e.g. ridge stnet"
    )
    command.add_argument(
        "--splits",
        nargs="+",
        default=["section-out", "patient-out"],
        metavar="SPLIT",
        help="default: section-out patient-out",
    )
    command.add_argument(
        "--sections", nargs="+", metavar="SECTION", help="default: all that are prepared"
    )
    command.add_argument(
        "--seeds", nargs="+", type=int, default=[0], metavar="SEED", help="default: 0"
    )
    command.add_argument(
        "-p",
        dest="parameters",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a word of every run, value in YAML, e.g. budget=full or epochs=100",
    )
    command.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)"
    )
    command.add_argument(
        "--engine",
        default="serial",
        help="where it is computed: serial, local, dask or slurm (default: %(default)s)",
    )
    command.add_argument(
        "--workers",
        type=int,
        default=0,
        help="how many runs at once (default: as many as the engine has)",
    )
    command.add_argument(
        "--address", default="", help="of the Dask scheduler, e.g. tcp://127.0.0.1:8786"
    )
    command.add_argument(
        "--slurm",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a word of the jobs as submitit names it, e.g. timeout_min=240, slurm_partition=gpu",
    )
    command.add_argument(
        "--show", action="store_true", help="only say how its runs stand and what is left to do"
    )
    command.set_defaults(do=_study)


def _study(options: argparse.Namespace) -> None:
    from compendium.data.prepare import open_sections
    from compendium.runs.executors.local import engine
    from compendium.runs.fit import check_device
    from compendium.runs.study.progress import report, run_study
    from compendium.runs.study.runs import planned

    device, slurm = check_device(options.device), _typed("--slurm", options.slurm)
    names, runs = planned(
        options.cohort,
        options.sections,
        options.splits,
        options.methods,
        options.seeds,
        _typed("-p", options.parameters),
    )
    sections = open_sections(options.cohort, names)
    if options.show:
        print(*report(runs, sections), sep="\n")
        return
    started = ExitStack()
    executor, workers = started.enter_context(
        engine(options.engine, workers=options.workers, address=options.address, slurm=slurm)
    )
    try:
        with started:  # how the runs stand is told when their workers have ended
            run_study(runs, sections, executor, _to_stderr, workers=workers, device=device)
    finally:
        print(*report(runs, sections), sep="\n")


def table(commands: Commands) -> None:
    """What is registered."""
    command = commands.add_parser(
        "table", help="print what is registered about the methods, as the page Methods shows it"
    )
    command.add_argument(
        "name",
        help="methods, inputs, architectures, training, parameters, origins, protocols or deviations",
    )
    command.set_defaults(do=_table)


def _table(options: argparse.Namespace) -> None:
    from compendium.book.site.method_tables import as_text, table

    print(as_text(table(options.name)))


def chapter(commands: Commands) -> None:
    """One chapter."""
    command = commands.add_parser(
        "chapter", help="run one chapter with papermill and put it into the book"
    )
    command.add_argument("name", help="e.g. id-loocv")
    command.add_argument(
        "--profile",
        default="demo",
        help="what it is run on: a file of notebooks/profiles (default: %(default)s)",
    )
    command.add_argument(
        "-p",
        dest="parameters",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a parameter of the chapter, value in YAML, e.g. 'methods=[ridge,stnet]'",
    )
    command.add_argument(
        "--out", type=Path, help="write the executed notebook here instead of into the book"
    )
    command.set_defaults(do=_chapter)


def _chapter(options: argparse.Namespace) -> None:
    from compendium.book.run.chapters import run_chapter

    print(run_chapter(options.name, options.profile, _pairs("-p", options.parameters), options.out))


def book(commands: Commands) -> None:
    """All chapters and the pages."""
    command = commands.add_parser(
        "book", help="run the chapters that are out of date and build the pages"
    )
    command.add_argument(
        "--profile", default="demo", help="what the chapters are run on (default: %(default)s)"
    )
    command.add_argument(
        "--no-run",
        action="store_true",
        help="build the pages from the chapters as they were last run, whatever has changed",
    )
    command.set_defaults(do=_book)


def _book(options: argparse.Namespace) -> None:
    from compendium.book.notebook import profiles
    from compendium.book.run import chapters
    from compendium.book.site import render as site

    print(site.render(profiles.root()) if options.no_run else chapters.build(options.profile))


def keep(commands: Commands) -> None:
    """Tables for books without raw data."""
    command = commands.add_parser(
        "keep",
        help="keep the tables that a profile's chapters were last drawn from in data/reference, so that its book can be built without raw data",
    )
    command.add_argument("profile", help="e.g. her2st-subset")
    command.add_argument(
        "--chapters",
        nargs="+",
        metavar="CHAPTER",
        help="only these (default: all that the profile names)",
    )
    command.set_defaults(do=_keep)


def _keep(options: argparse.Namespace) -> None:
    from compendium.book.notebook import profiles
    from compendium.book.notebook.tables import keep
    from compendium.book.run import chapters

    named = options.chapters or list(profiles.load(options.profile).chapters)
    print(
        *keep(options.profile, {name: chapters.usual(name, options.profile) for name in named}),
        sep="\n",
    )


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _typed(option: str, given: list[str]) -> dict[str, object]:
    """KEY=VALUE words of an option, values read as YAML, and 1e-4 as a number, as everybody but YAML 1.1 does."""
    import yaml

    try:
        values = {key: yaml.safe_load(value) for key, value in _pairs(option, given).items()}
        return {
            key: float(value) if isinstance(value, str) and EXPONENT.fullmatch(value) else value
            for key, value in values.items()
        }
    except yaml.YAMLError as error:
        raise BadInput(
            f"{option}: a value is not YAML ({str(error).splitlines()[0]}); give e.g. epochs=50"
        ) from error


def _pairs(option: str, given: list[str]) -> dict[str, str]:
    """KEY=VALUE words of an option."""
    pairs = [pair.partition("=") for pair in given]
    for key, equals, _ in pairs:
        if not equals or not key:
            raise BadInput(f"{option} {key} is not of the form KEY=VALUE, e.g. -p seed=1")
    return {key: value for key, _, value in pairs}


EVERY = (fetch, prepare, export, study, table, chapter, book, keep)
