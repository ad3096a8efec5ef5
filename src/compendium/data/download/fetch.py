"""Raw files of a cohort, from a local folder, a mirror or their publishers, each one checked."""

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from tqdm import tqdm

from compendium.data.download import checksums, http
from compendium.data.download.archives import is_archive, unpack
from compendium.data.sources import Cohort, raw_folder, single
from compendium.errors import BadInput, refusing
from compendium.storage import atomic_file, locked

AT_ONCE = 4
NAMED = 3  # failures that a message names


@dataclass(frozen=True)
class FetchReport:
    """Result of a fetch; paths are relative to the folder of the cohort."""

    verified: tuple[str, ...]
    """Files that are there and match their published checksum."""

    unpublished: tuple[str, ...]
    """Files that are there and have no published checksum; they match the one recorded first."""

    copied: tuple[str, ...]
    """Files of both kinds that came now."""

    unpacked: dict[str, Path]
    """Archive -> folder."""

    absent: dict[str, str]
    """Missing file -> page from which a person can download it, or ""."""


@dataclass(frozen=True)
class _Due:
    """What a file must be: its published checksum, else the recorded one, else any (None)."""

    check: str | None
    published: bool

    def describe(self, fault: str, other: Path | None = None) -> str:
        """Describe a wrong file; `other` is the file that may be in its place."""
        if self.published:
            return f"is not the published file: {fault}"
        if not self.check:
            return f"is not what it should be: {fault}"
        lines = f"its line in {checksums.RECORD}" + (f" and {other}" if other else "")
        return f"is not the recorded file: {fault} (delete {lines} to accept it)"


@dataclass
class _Intake:
    """The files of a cohort that are being fetched into a folder."""

    cohort: Cohort
    target: Path
    due: dict[str, _Due]
    came: dict[str, bool] = field(default_factory=dict)  # file that is there -> whether it is new
    failed: dict[str, str] = field(default_factory=dict)  # file -> reason
    unpacked: dict[str, Path] = field(default_factory=dict)  # archive -> folder

    def is_missing(self, path: str) -> bool:
        """Test whether a file must come; one that only the record contradicts is not replaced."""
        target, due = self.target / path, self.due[path]
        if checksums.is_whole(target, due.check):
            return False
        if target.is_file() and not due.published:
            fault = due.describe(checksums.mismatch(target, due.check))
            raise http.NotArrived(f"{target} {fault}; delete the file to get it again")
        return True

    def copy(self, folder: Path) -> None:
        """Copy the files from a folder, after all of them are verified."""
        for path in tqdm(self.present(folder), desc=f"verify {self.cohort.name}", disable=None):
            if fault := checksums.mismatch(folder / path, self.due[path].check):
                mine = self.target / path
                other = mine if mine.is_file() and not mine.samefile(folder / path) else None
                wrong = f"{folder / path} {self.due[path].describe(fault, other)}"
                raise BadInput(f"{wrong}; get it again from {self.cohort.address}")
            self.came[path] = self.is_missing(path)
        new = [path for path, new in self.came.items() if new]
        for path in tqdm(new, desc=f"copy {self.cohort.name}", disable=None):
            with atomic_file(self.target / path) as aside:
                shutil.copyfile(folder / path, aside)

    def present(self, folder: Path) -> list[str]:
        """Return the files that are in a folder."""
        name, first = self.cohort.name, next(iter(self.due))
        if not folder.is_dir():
            mend = f"give the one that contains {first} (data: {self.cohort.address})"
            raise BadInput(f"--from {folder} is no folder; {mend}")
        if present := [path for path in self.due if (folder / path).is_file()]:
            return present
        mend = f"give the folder that contains {first}"
        raise BadInput(f"none of the {len(self.due)} files of {name} is in {folder}; {mend}")

    def download(self, addresses: dict[str, str], patience: http.Patience) -> None:
        """Download the files, some at once; an error that concerns all of them stops all."""
        stop, title = threading.Event(), f"fetch {self.cohort.name}"
        with (
            ThreadPoolExecutor(AT_ONCE) as pool,
            tqdm(desc=title, unit="B", unit_scale=True, disable=None) as bar,
        ):

            def advance(received: int) -> None:
                if stop.is_set():
                    raise http.NotArrived("stopped")
                with bar.get_lock():
                    bar.update(received)

            jobs = {}
            for path in self.due:
                url = addresses.get(path)
                job = pool.submit(self.bring, path, url, patience, advance, stop.wait)
                jobs[job] = path
            try:
                for job in as_completed(jobs):
                    self.settle(job, jobs[job])
                    done = len(self.came) + len(self.failed)
                    bar.set_description_str(f"{title} {done}/{len(jobs)} files")
            except BaseException:  # a dead address, a full disk, or Ctrl-C
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise

    def bring(
        self,
        path: str,
        url: str | None,
        patience: http.Patience,
        advance: Callable[[int], None],
        pause: Callable[[float], object],
    ) -> bool | None:
        """Download a file if it is missing; return whether it is new, None if it has no address.

        Parameters
        ----------
        path, url
            The file, and its address or None.
        patience, advance, pause
            As in `http.download`.
        """
        if not self.is_missing(path):
            return False
        if not url:
            return None
        due = self.due[path]
        try:
            http.download(url, self.target / path, due.check, patience, advance, pause)
        except http.WrongBytes as error:
            raise http.WrongBytes(f"what comes {due.describe(str(error))}") from error
        return True

    def settle(self, job: Future, path: str) -> None:
        """Count a file among those that came or failed; one to be taken by hand may be missing."""
        try:
            if (new := job.result()) is not None:
                self.came[path] = new
        except http.Unreachable as error:
            mend = "check the address and the network; what has arrived is kept"
            mend += f", run the same command to continue (data: {self.cohort.address})"
            raise BadInput(f"{error}: {mend}") from error
        except http.NotArrived as error:
            if not (isinstance(error, http.NotThere) and path in self.cohort.by_hand()):
                self.failed[path] = str(error)

    def unpack(self) -> None:
        """Unpack the archives; a new one without a checksum that cannot be unpacked is deleted."""
        for path in filter(is_archive, self.came):
            try:
                self.unpacked[path] = unpack(self.target / path)
            except BadInput as error:
                fate = "it lies there; delete it to fetch it again"
                if self.came[path] and not self.due[path].check:
                    (self.target / path).unlink()
                    fate = "it is deleted"
                self.failed[path] = f"{error} ({fate})"

    def report(self, pages: dict[str, str]) -> FetchReport:
        """Return what is there now; BadInput, in one line, if files failed."""
        if self.failed:
            raise BadInput(self.failures())
        came = [path for path in self.due if path in self.came]
        return FetchReport(
            verified=tuple(path for path in came if self.due[path].published),
            unpublished=tuple(path for path in came if not self.due[path].published),
            copied=tuple(path for path in came if self.came[path]),
            unpacked=self.unpacked,
            absent={path: pages.get(path, "") for path in sorted(self.due.keys() - self.came)},
        )

    def failures(self) -> str:
        """Describe what went wrong in one line."""
        named = sorted(self.failed.items())[:NAMED]
        first = "; ".join(f"{path}: {reason}" for path, reason in named)
        more = f"; and {len(self.failed) - NAMED} more" if len(self.failed) > NAMED else ""
        return (
            f"{len(self.failed)} of {len(self.due)} files of {self.cohort.name} failed "
            f"({first}{more}); the others are kept in {self.target}: run the same command to "
            f"continue, or put a missing file there by hand from {self.cohort.address}"
        )


def fetch(
    cohort_name: str,
    source: str | Path | None = None,
    sections: list[str] | None = None,
    raw: Path | None = None,
    patience: http.Patience = http.USUAL,
) -> FetchReport:
    """Fetch the catalogued files of a cohort, and unpack its archives.

    Files that are there and right are left alone. A file that differs only from the recorded
    checksum is never replaced. What has arrived is kept when others fail.

    Parameters
    ----------
    cohort_name
        Cohort of the catalogue.
    source
        A folder or an http(s) address that has the files under their catalogued paths; None for
        the address of each file in the catalogue.
    sections
        Sections whose files are fetched; None for all.
    raw
        Folder to fetch into; by default that of the cohort in COMPENDIUM_HOME.
    patience
        Attempts and time-outs of downloads.

    Returns
    -------
    What is there now. A file that a folder lacks, or that a person has to take from a page, is
    absent.

    Raises
    ------
    BadInput
        If a file of the folder has a wrong checksum (then nothing is copied), if nothing answers at
        the address, or if files failed to arrive.
    """
    cohort = single(cohort_name)
    wanted, target = _wanted(cohort, sections), raw or raw_folder(cohort.name)
    record = checksums.read_record(target)
    due = {path: _Due(check or record.get(path), bool(check)) for path, check in wanted.items()}
    intake = _Intake(cohort, target, due)
    addresses = cohort.urls(sections) if source is None else _mirrored(str(source), due)
    if addresses is None:
        intake.copy(Path(source))
    else:
        with locked(target / ".lock"):
            intake.download(addresses, patience)
    intake.unpack()
    new = {path for path in intake.came if not due[path].check} - intake.failed.keys()
    checksums.add_to_record(target, record, new)
    return intake.report(cohort.by_hand(sections))


def _wanted(cohort: Cohort, sections: list[str] | None) -> dict[str, str | None]:
    """Return the published checksum of each file to fetch."""
    name = cohort.name
    nothing = f"there is nothing to fetch; run compendium prepare {name}"
    if cohort.generator:
        raise BadInput(f"cohort {name} is generated, {nothing}")
    if not (wanted := cohort.catalogued(sections)):
        raise BadInput(f"the catalogue lists no files of cohort {name}, {nothing} --from FOLDER")
    return wanted


def _mirrored(source: str, paths: dict[str, _Due]) -> dict[str, str] | None:
    """Return the address of each file on a mirror; None where the source is a folder."""
    if "://" not in source:
        return None
    mend = "give one that starts with http:// or https:// and names a host, or a folder"
    with refusing(ValueError, f"--from {source} is no address that can be read", mend):
        parts = urlsplit(source)  # ValueError: an open bracket, a port beyond 65535
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("no http, no host or no port")
    return {path: f"{source.rstrip('/')}/{quote(path)}" for path in paths}
