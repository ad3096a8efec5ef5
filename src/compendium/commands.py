"""What each command takes and does; `compendium.__main__` makes a command line of them."""

import re
import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from compendium.errors import BadInput

EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
Argument = tuple[tuple[str, ...], dict]


class Command:
    """One command.

    Parameters
    ----------
    help
        One line for the list of commands.
    run
        What it does with its options.
    arguments
        Arguments of `argparse.ArgumentParser.add_argument`.
    """

    def __init__(self, help: str, run: Callable[[Namespace], None], *arguments: Argument) -> None:
        self.help, self.run, self.arguments = help, run, arguments


def _fetch(options: Namespace) -> None:
    from compendium.data.download.fetch import fetch
    from compendium.data.sources import raw_folder

    report = fetch(options.cohort, options.source, options.sections)
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


def _prepare(options: Namespace) -> None:
    from compendium.data.prepare import prepare
    from compendium.data.sources import cohort

    for section in prepare(
        options.cohort, options.sections, options.tile_px, options.folder, options.spots
    ):
        print(section, *([f"{section.spot_set} spots"] if section.spot_set else []))
    facts = cohort(options.cohort)
    print(f"{facts.title}; licence: {facts.licence}; under every image: {facts.attribution}")


def _export(options: Namespace) -> None:
    from compendium.data.export import to_anndata, write_h5ad
    from compendium.data.prepare import open_sections

    (section,) = open_sections(options.cohort, [options.section])
    if options.run is None:
        print(write_h5ad(to_anndata(section), options.out))
        return
    from compendium.runs.export import find, prediction

    print(write_h5ad(prediction(find(options.cohort, options.run), section), options.out))


def _study(options: Namespace) -> None:
    from compendium.data.prepare import open_sections
    from compendium.runs.executors import executor
    from compendium.runs.fit import check_device
    from compendium.runs.study.progress import run_study, table
    from compendium.runs.study.runs import planned

    device, slurm = check_device(options.device), _typed("--slurm", options.slurm)
    parameters = _typed("-p", options.parameters)
    names, runs = planned(
        options.cohort,
        options.sections,
        options.splits,
        options.methods,
        options.seeds,
        parameters,
    )
    sections = open_sections(options.cohort, names)
    if options.show:
        print(*table(runs, sections), sep="\n")
        return
    started = ExitStack()
    pool, workers = started.enter_context(
        executor(options.executor, workers=options.workers, address=options.address, slurm=slurm)
    )
    try:
        with started:  # the table is printed when the workers have ended
            run_study(runs, sections, pool, _to_stderr, workers=workers, device=device)
    finally:
        print(*table(runs, sections), sep="\n")


def _table(options: Namespace) -> None:
    from compendium.book.site.method_tables import as_text, table

    print(as_text(table(options.name)))


def _chapter(options: Namespace) -> None:
    from compendium.book.run.chapters import run_chapter

    print(run_chapter(options.name, options.profile, _pairs("-p", options.parameters), options.out))


def _book(options: Namespace) -> None:
    from compendium.book.notebook import profiles
    from compendium.book.run import chapters
    from compendium.book.site import render as site

    if not options.no_run:
        chapters.run_outdated(options.profile)
    print(site.render(profiles.root()))


def _keep(options: Namespace) -> None:
    from compendium.book.notebook import profiles
    from compendium.book.notebook.tables import keep
    from compendium.book.run import chapters

    named = profiles.load(options.profile).chapters
    names = options.chapters or [name for name in named if chapters.has_folder(name)]
    usual = {name: chapters.usual(name, options.profile) for name in names}
    print(*keep(options.profile, usual), sep="\n")


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


def _argument(*names: str, help: str, **settings) -> Argument:
    """An argument of argparse, whose help gives the default if there is one."""
    if default := settings.get("default"):
        shown = " ".join(map(str, default)) if isinstance(default, list) else default
        help += f" (default: {shown})"
    return names, settings | {"help": help}


def _names(option: str, help: str, **settings) -> Argument:
    """An option that takes several names."""
    return _argument(option, nargs="+", metavar=option[2:-1].upper(), help=help, **settings)


def _pairs_of(option: str, help: str, **settings) -> Argument:
    """An option KEY=VALUE that may be given several times."""
    return _argument(
        option, help=help, action="append", default=[], metavar="KEY=VALUE", **settings
    )


COHORT = _argument("cohort", help="a prepared cohort, e.g. demo or her2st")
PROFILE = _argument("--profile", default="demo", help="a file of notebooks/profiles")
RAW = "folder of raw files (default: where fetch puts them), or of your own data with cohort.yaml"
SPOT_SETS = "of cohort wu: filtered, the publishers' choice (default), or unfiltered"
TABLES = "methods, inputs, architectures, training, parameters, origins, protocols or deviations"

COMMANDS = {
    "fetch": Command(
        "check raw files against their published checksums and take them in",
        _fetch,
        _argument("cohort", help="cohort of data/sources.yaml, e.g. her2st"),
        _argument("--from", dest="source", help="folder or http(s) address with the files"),
        _names("--sections", "only the files of these sections"),
    ),
    "prepare": Command(
        "read, check and store sections, ready to train on",
        _prepare,
        _argument("cohort", help="cohort of data/sources.yaml, or a name for the one in --from"),
        _argument("--from", dest="folder", type=Path, help=RAW),
        _names("--sections", "only these sections (default: all whose counts are there)"),
        _argument("--tile-px", type=int, default=224, help="side of the patches in pixels"),
        _argument("--spots", default="", help=SPOT_SETS),
    ),
    "export": Command(
        "write a prepared section, or what a run predicted for it, as h5ad for scanpy and squidpy",
        _export,
        COHORT,
        _argument("section", help="e.g. B4"),
        _argument("out", type=Path, help="the file to write, e.g. B4.h5ad"),
        _argument("--run", metavar="ID", help="run whose prediction is written (default: counts)"),
    ),
    "study": Command(
        "fit methods on every fold of some splits: first what it will cost, then its progress",
        _study,
        COHORT,
        _names("--methods", "e.g. ridge stnet", required=True),
        _names("--splits", "rules of splits", default=["section-out", "patient-out"]),
        _names("--sections", "default: all that are prepared"),
        _names("--seeds", "seeds", type=int, default=[0]),
        _pairs_of("-p", "a parameter of every run, in YAML, e.g. epochs=100", dest="parameters"),
        _argument("--device", default="auto", help="auto, cpu, cuda or mps"),
        _argument("--executor", default="serial", help="serial, local, dask or slurm"),
        _argument("--workers", type=int, default=0, help="runs at once (0: as many as there are)"),
        _argument("--address", default="", help="of the Dask scheduler, e.g. tcp://127.0.0.1:8786"),
        _pairs_of("--slurm", "a parameter of submitit, e.g. slurm_partition=gpu"),
        _argument("--show", action="store_true", help="only print the status of its runs"),
    ),
    "table": Command(
        "print a table of what is registered about the methods",
        _table,
        _argument("name", help=TABLES),
    ),
    "chapter": Command(
        "run one chapter with papermill and put it into the book",
        _chapter,
        _argument("name", help="e.g. id-loocv"),
        PROFILE,
        _pairs_of("-p", "a parameter, in YAML, e.g. 'methods=[ridge,stnet]'", dest="parameters"),
        _argument("--out", type=Path, help="write the notebook here instead of into the book"),
    ),
    "book": Command(
        "run the chapters that are out of date and build the pages",
        _book,
        PROFILE,
        _argument("--no-run", action="store_true", help="build the pages without running chapters"),
    ),
    "keep": Command(
        "keep the tables of a profile's chapters in data/reference, for books without raw data",
        _keep,
        _argument("profile", help="e.g. her2st-subset"),
        _names("--chapters", "only these (default: all that the profile names)"),
    ),
}
