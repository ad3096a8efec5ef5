"""The raw files of a cohort, from a local folder, a mirror or their publishers: each checked, and in its place whole or not at all."""

import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import yaml
from tqdm import tqdm

from compendium.data.download.archives import is_archive, unpack
from compendium.data.download.checksums import checksum, is_whole, mismatch
from compendium.data.download.http import (
    USUAL,
    NotArrived,
    NotThere,
    Patience,
    Unreachable,
    WrongBytes,
    download,
)
from compendium.data.sources import Cohort, raw_folder, single
from compendium.errors import BadInput
from compendium.storage import atomic_file, locked

AT_ONCE = 4
RECORD = "fetched.json"  # path -> sha256 of the files without a published checksum, as they were when they first came
NAMED = 3  # so many failures are told in full


@dataclass(frozen=True)
class FetchReport:
    """Paths inside the cohort's folder.

    verified: lie there and are what their publisher says; unpublished: lie there, and nobody publishes their checksum, so that they are held against the sha256
    with which they first came; copied: those of both that came now; unpacked: archive -> folder; absent: path -> page from which a person can take it, or "".
    """

    verified: tuple[str, ...]
    unpublished: tuple[str, ...]
    copied: tuple[str, ...]
    unpacked: dict[str, Path]
    absent: dict[str, str]


@dataclass(frozen=True)
class _Due:
    """What a file must be: its published checksum, or else the one with which it first came, or else what its name says."""

    published: str | None
    recorded: str | None

    @property
    def check(self) -> str | None:
        return self.published or self.recorded

    def unlike(self, fault: str, other: str = "") -> str:
        """What is said of a file with a fault; `other`: the file that may lie in its place."""
        kind = "published" if self.published else "recorded"
        accept = (
            f" (delete its line in {RECORD}{other and f' and {other}'} to accept it)"
            if kind == "recorded"
            else ""
        )
        return (
            f"is not the {kind} file: {fault}{accept}"
            if self.check
            else f"is not what it should be: {fault}"
        )


def fetch(
    cohort_name: str,
    source: str | Path | None = None,
    sections: list[str] | None = None,
    raw: Path | None = None,
    patience: Patience = USUAL,
) -> FetchReport:
    """Take the catalogued files of a cohort into `raw` (default raw_folder); those that lie there as they must be are left alone. Archives are unpacked.

    source: a folder or an http(s) address with the files under their catalogued paths; None: each file's own address. `sections` limits the fetch to their files.
    A file of a folder with a wrong byte stops the fetch before anything is copied; one that the folder lacks is absent, and the fetch a success. A file that an
    address lacks has failed, unless a person has to take it: then it is absent too. What fails does not stop the others, and one line names it at the end;
    an address at which nobody answers ends the fetch. What has come is kept either way. A file there that differs only from the record is never replaced.
    """
    facts = single(cohort_name)
    wanted, target = _wanted(facts, sections), raw or raw_folder(facts.name)
    record = _recorded(target)
    dues = {path: _Due(check, record.get(path)) for path, check in wanted.items()}
    addresses = facts.urls(sections) if source is None else _mirrored(str(source), dues)
    if addresses is None:
        came, failed = _copied(facts, Path(source), dues, target), {}
    else:
        with locked(target / ".lock"):
            came, failed = _downloaded(facts, addresses, dues, target, patience)
    unpacked, broken = _unpacked(target, came, dues)
    _record(target, record, {path for path in came if wanted[path] is None} - broken.keys())
    if failed := failed | broken:
        raise BadInput(_told(facts, failed, len(wanted), target))
    pages = facts.by_hand(sections)
    return FetchReport(
        verified=tuple(path for path in came if wanted[path]),
        unpublished=tuple(path for path in came if wanted[path] is None),
        copied=tuple(path for path, new in came.items() if new),
        unpacked=unpacked,
        absent={path: pages.get(path, "") for path in sorted(wanted.keys() - came.keys())},
    )


def _wanted(facts: Cohort, sections: list[str] | None) -> dict[str, str | None]:
    """Path -> published checksum of the files to take in."""
    if facts.generator:
        raise BadInput(
            f"cohort {facts.name} is generated, there is nothing to fetch; run compendium prepare {facts.name}"
        )
    if not (wanted := facts.catalogued(sections)):
        raise BadInput(
            f"the catalogue lists no files of cohort {facts.name}, there is nothing to fetch; run compendium prepare {facts.name} --from FOLDER"
        )
    return wanted


def _mirrored(source: str, paths: dict[str, _Due]) -> dict[str, str] | None:
    """The address of each file on a mirror; None where the source is a folder."""
    if "://" not in source:
        return None
    try:
        parts = urlsplit(source)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("no http, no host or no port")
    except (
        ValueError
    ) as error:  # urlsplit's own: a bracket that does not close, a port beyond 65535
        raise BadInput(
            f"--from {source} is no address that can be read ({error}); give one that starts with http:// or https:// and names a host, or a folder"
        ) from error
    return {path: f"{source.rstrip('/')}/{quote(path)}" for path in paths}


def _copied(facts: Cohort, folder: Path, dues: dict[str, _Due], target: Path) -> dict[str, bool]:
    """Files that lie in the folder -> whether they had to be copied."""
    if not folder.is_dir():
        raise BadInput(
            f"--from {folder} is no folder; give the one that holds {next(iter(dues))} (data: {facts.address})"
        )
    present = [path for path in dues if (folder / path).is_file()]
    if not present:
        raise BadInput(
            f"none of the {len(dues)} files of {facts.name} lies in {folder}; give the folder that holds {next(iter(dues))}"
        )
    for path in tqdm(present, desc=f"verify {facts.name}", disable=None):
        if fault := mismatch(folder / path, dues[path].check):
            other = (
                target / path
                if (target / path).is_file() and not (target / path).samefile(folder / path)
                else ""
            )
            raise BadInput(
                f"{folder / path} {dues[path].unlike(fault, str(other))}; get it again from {facts.address}"
            )
    came = {path: _missing(target / path, dues[path]) for path in present}
    for path in tqdm(
        [path for path, new in came.items() if new], desc=f"copy {facts.name}", disable=None
    ):
        with atomic_file(target / path) as aside:
            shutil.copyfile(folder / path, aside)
    return came


def _downloaded(
    facts: Cohort,
    addresses: dict[str, str],
    dues: dict[str, _Due],
    target: Path,
    patience: Patience,
) -> tuple[dict[str, bool], dict[str, str]]:
    """Files that lie in the target -> whether they came now; and why others did not come."""
    came: dict[str, bool] = {}
    failed: dict[str, str] = {}
    stop, one = threading.Event(), threading.Lock()
    with (
        ThreadPoolExecutor(AT_ONCE) as pool,
        tqdm(desc=f"fetch {facts.name}", unit="B", unit_scale=True, disable=None) as bar,
    ):

        def advance(received: int) -> None:
            if stop.is_set():
                raise NotArrived("stopped")
            with one:
                bar.update(received)

        jobs = {
            pool.submit(
                _bring, addresses.get(path, ""), target / path, due, patience, advance, stop.wait
            ): path
            for path, due in dues.items()
        }
        try:
            for job in as_completed(jobs):
                _settle(job, jobs[job], facts, came, failed)
                bar.set_description_str(
                    f"fetch {facts.name} {len(came) + len(failed)}/{len(jobs)} files"
                )
        except BaseException:  # the address is dead, the disk is full, or a person has had enough: the others need not try
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return {path: came[path] for path in dues if path in came}, failed


def _bring(
    url: str,
    target: Path,
    due: _Due,
    patience: Patience,
    advance: Callable[[int], None],
    pause: Callable[[float], object],
) -> bool | None:
    """Whether a file had to come; None where it is not there and has no address."""
    if not _missing(target, due):
        return False
    try:
        if url:
            download(url, target, due.check, patience, advance, pause)
    except WrongBytes as error:
        raise WrongBytes(f"what comes {due.unlike(str(error))}") from error
    return True if url else None


def _missing(target: Path, due: _Due) -> bool:
    """Whether a file must come. One that no published checksum proves wrong may be a person's own and is not replaced."""
    if is_whole(target, due.check):
        return False
    if target.is_file() and not due.published:
        raise NotArrived(
            f"{target} {due.unlike(mismatch(target, due.check))}; delete the file to get it again"
        )
    return True


def _settle(
    job: Future, path: str, facts: Cohort, came: dict[str, bool], failed: dict[str, str]
) -> None:
    """Count one file among those that came, or those that failed; one that a person has to take may be missing."""
    try:
        if (new := job.result()) is not None:
            came[path] = new
    except Unreachable as error:
        raise BadInput(
            f"{error}: check the address and the network; what has arrived is kept, run the same command to continue (data: {facts.address})"
        ) from error
    except NotArrived as error:
        if not (isinstance(error, NotThere) and path in facts.by_hand()):
            failed[path] = str(error)


def _unpacked(
    target: Path, came: dict[str, bool], dues: dict[str, _Due]
) -> tuple[dict[str, Path], dict[str, str]]:
    """Archive -> folder; and why others could not be unpacked: one that came now and that nothing vouches for is no archive, and goes."""
    unpacked: dict[str, Path] = {}
    broken: dict[str, str] = {}
    for path in filter(is_archive, came):
        try:
            unpacked[path] = unpack(target / path)
        except BadInput as error:
            gone = came[path] and not dues[path].check
            if gone:
                (target / path).unlink()
            broken[path] = (
                f"{error} ({'it is deleted' if gone else 'it lies there; delete it to fetch it again'})"
            )
    return unpacked, broken


def _recorded(target: Path) -> dict[str, str]:
    path = target / RECORD
    try:
        record = (
            dict(yaml.safe_load(path.read_text(encoding="utf-8"))) if path.exists() else {}
        )  # JSON, but YAML forgives the comma before a deleted last line
        if not all(str(check).startswith("sha256:") for check in record.values()):
            raise ValueError("a line without a sha256")
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise BadInput(
            f"{path} is damaged ({' '.join(str(error).split())}): delete it; files without a published checksum are then recorded as they are now"
        ) from error
    return record


def _record(target: Path, record: dict[str, str], paths: set[str]) -> None:
    """Keep the sha256 of the files that nothing was known of."""
    if new := {path: checksum(target / path, "sha256:") for path in sorted(paths - record.keys())}:
        with atomic_file(target / RECORD) as aside:
            aside.write_text(json.dumps(record | new, indent=1, sort_keys=True), encoding="utf-8")


def _told(facts: Cohort, failed: dict[str, str], wanted: int, target: Path) -> str:
    """One line for all that went wrong."""
    first = "; ".join(f"{path}: {reason}" for path, reason in sorted(failed.items())[:NAMED])
    more = f"; and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
    return (
        f"{len(failed)} of {wanted} files of {facts.name} failed ({first}{more}); the others are kept in {target}: "
        f"run the same command to continue, or put a missing file there by hand from {facts.address}"
    )
