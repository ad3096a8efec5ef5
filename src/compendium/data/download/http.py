"""Download of one file over HTTP: checked, tried again, and resumed where it stopped."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from urllib3 import Retry
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

from compendium import __version__
from compendium.data.download.checksums import mismatch
from compendium.errors import BadInput

BLOCK_BYTES = 1 << 18
LOOPBACK = ("127.0.0.1", "::1", "localhost")
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)  # HTTP statuses that another attempt may change


class NotArrived(BadInput):
    """A file that did not arrive; others may."""


class NotThere(NotArrived):
    """A file that the server does not have."""


class Passing(NotArrived):
    """A failure that another attempt may mend."""

    retry_after: float | None = None
    """Seconds that the server asks to wait."""


class WrongBytes(Passing):
    """A file that arrived with another checksum."""


class Unreachable(Passing):
    """An address at which no server answers; no other file will arrive from there either."""


@dataclass(frozen=True)
class Patience:
    """Attempts and time-outs of a download."""

    ranges_above: int = 100_000_000
    """Size in bytes of the ranges in which a larger file is requested."""

    attempts: int = 5
    """Attempts of each file."""

    backoff: float = 1.0
    """Factor of the waiting times (urllib3): 0, 2, 4, 8 … times this many seconds."""

    timeout: tuple[float, float] = (10.0, 60.0)
    """Seconds to connect, and seconds without a byte."""


USUAL = Patience()


def download(
    url: str,
    target: Path,
    check: str | None = None,
    patience: Patience = USUAL,
    advance: Callable[[int], object] = lambda received: None,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Download a file, in several attempts if necessary.

    What has arrived stays in `<target>.part`, and is resumed in this call or a later one while the
    ETag or date of the server says that the file is the same. A file at `target` is removed first.

    Parameters
    ----------
    url
        Address of the file.
    target
        Path to write.
    check
        Checksum in the notation of the catalogue. Without one the answer must not be a page, must
        state its length, and must begin as the suffix of `target` says.
    patience
        Attempts and time-outs.
    advance
        Called with the number of bytes of every block, and with 0 before each attempt.
    pause
        Called with the seconds to wait before another attempt.

    Raises
    ------
    NotArrived
        If the file could not be downloaded.
    """
    target.unlink(missing_ok=True)
    retry = Retry(total=patience.attempts - 1, backoff_factor=patience.backoff)
    failure = ""
    while True:
        advance(0)
        try:
            return _Transfer(url, target, check, patience, advance).complete()
        except Passing as error:
            repeated = isinstance(error, WrongBytes) and str(error) == failure
            if repeated or not retry.total:  # the same wrong bytes twice are what the server has
                raise
            failure, retry = str(error), retry.increment(error=error)
            pause(error.retry_after or retry.get_backoff_time())


@dataclass(frozen=True)
class _Transfer:
    """One attempt: one range of the file after the other, written to `<target>.part`."""

    url: str
    target: Path
    check: str | None
    patience: Patience
    advance: Callable[[int], object]

    @property
    def part(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def tag(self) -> Path:
        """File with the ETag or date of the version that `part` belongs to."""
        return self.target.with_name(f"{self.target.name}.part.tag")

    @property
    def received(self) -> int:
        """Number of bytes of the file on the disk."""
        return self.part.stat().st_size if self.part.exists() else 0

    @property
    def version(self) -> str:
        return self.tag.read_text() if self.tag.exists() else ""

    def complete(self) -> None:
        """Receive what is missing, check the file and rename it."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        if not self.version:  # nothing says which file the part belongs to
            self.discard()
        self.receive()
        if wrong := mismatch(self.part, self.check, self.target.name):
            self.discard()
            raise WrongBytes(wrong)
        self.part.replace(self.target)
        self.tag.unlink(missing_ok=True)

    def receive(self) -> None:
        """Request ranges until the file is complete."""
        try:
            with requests.Session() as session:
                session.headers["User-Agent"] = f"compendium/{__version__}"
                # proxies are for other machines
                session.trust_env = urlsplit(self.url).hostname not in LOOPBACK
                while self.request(session):
                    pass
        # ValueError: redirected to what is no address
        except (requests.RequestException, HTTPError, ValueError) as error:
            if isinstance(error, BadInput):
                raise
            raise _explained(error, self) from error

    def request(self, session: requests.Session) -> bool:
        """Request the next range; return whether more is to come."""
        have = self.received
        wanted = f"bytes={have}-{have + self.patience.ranges_above - 1}"
        headers = {"Accept-Encoding": "identity", "Range": wanted}
        if have and self.version:
            headers["If-Range"] = self.version
        options = {"headers": headers, "stream": True, "timeout": self.patience.timeout}
        with session.get(self.url, **options) as answer:
            if answer.status_code == 416:
                return self.beyond(answer)
            answer.raise_for_status()
            self.vouch(answer)
            begin, total = self.extent(answer, have)
            self.write(answer, begin)
        if total and self.received <= begin:
            raise Passing(f"the server sends nothing after {begin:,} of {total:,} bytes")
        return total is not None and self.received < total

    def extent(self, answer: requests.Response, have: int) -> tuple[int, int | None]:
        """Return the first byte of an answer and the size of the file, which must be the same."""
        if answer.status_code != 206:
            return 0, None
        stated = answer.headers.get("Content-Range", "")
        if not (found := re.fullmatch(r"bytes (\d+)-\d+/(\d+)", stated)):
            raise NotArrived(f"the server answers with a range that says {stated!r}")
        begin, total = map(int, found.groups())
        if begin != have:
            self.discard()
            raise Passing(f"the server sends byte {begin:,} where {have:,} is asked for")
        if begin and self.version != _version(answer):
            self.discard()
            raise Passing(f"the file at {self.url} changed while it came")
        return begin, total

    def vouch(self, answer: requests.Response) -> None:
        """Refuse an answer that is no file, or whose completeness nothing else could tell."""
        kind = answer.headers.get("Content-Type", "")
        if answer.status_code not in (200, 206):
            raise NotArrived(f"HTTP {answer.status_code} {answer.reason} at {answer.url}")
        if self.check:
            return
        if "html" in kind and "htm" not in self.target.suffix:
            raise NotArrived(f"{answer.url} answers with a page ({kind}), not with the file")
        if answer.raw.length_remaining is None and not answer.raw.chunked:
            raise NotArrived(f"{answer.url} does not say how long the file is")

    def write(self, answer: requests.Response, begin: int) -> None:
        """Append the body, or start again where the answer begins with the first byte."""
        try:
            with self.part.open("ab" if begin else "wb") as file:
                if not begin:
                    self.tag.write_text(_version(answer))
                for block in answer.raw.stream(BLOCK_BYTES, decode_content=False):
                    file.write(block)
                    self.advance(len(block))
        except OSError as error:  # a write that fails does not say where
            raise OSError(error.errno, error.strerror, str(self.part)) from error

    def beyond(self, answer: requests.Response) -> bool:
        """Tell a complete part from a wrong one where no byte follows it."""
        if answer.headers.get("Content-Range") != f"bytes */{self.received}":
            self.discard()
            raise Passing("what had come of it is no part of the file that is there now")
        self.part.touch()
        return False

    def discard(self) -> None:
        """Remove what has arrived."""
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)


def _version(answer: requests.Response) -> str:
    """Return what identifies the version of a file: a strong ETag, else its date, else ""."""
    etag = answer.headers.get("ETag", "W/")
    return answer.headers.get("Last-Modified", "") if etag.startswith("W/") else etag


def _explained(error: Exception, transfer: _Transfer) -> NotArrived:
    """Return what an error of the network means for the file."""
    if isinstance(error, requests.HTTPError):
        return _refused(error.response, transfer.url)
    came = f"after {transfer.received:,} bytes from {transfer.url}"
    if isinstance(error, requests.ReadTimeout | ReadTimeoutError):
        return Passing(f"nothing came for {transfer.patience.timeout[1]:g} s {came}")
    cause = error.args[0] if error.args else error
    if isinstance(error, HTTPError) or isinstance(cause, ProtocolError):
        return Passing(f"the connection broke {came}")
    reason = str(getattr(cause, "reason", cause)).rsplit(": ", 1)[-1]
    if isinstance(error, requests.ConnectionError):
        return Unreachable(f"{urlsplit(transfer.url).netloc} cannot be reached ({reason})")
    return NotArrived(f"{transfer.url} cannot be had ({reason})")


def _refused(answer: requests.Response, url: str) -> NotArrived:
    """Return what an HTTP status means for the file."""
    message = f"HTTP {answer.status_code} {answer.reason} at {url}"
    if answer.status_code in (404, 410):
        return NotThere(message)
    if answer.status_code not in TRANSIENT:
        return NotArrived(message)
    error = Passing(message)
    error.retry_after = min(Retry().get_retry_after(answer.raw) or 0, Retry.DEFAULT_BACKOFF_MAX)
    return error
