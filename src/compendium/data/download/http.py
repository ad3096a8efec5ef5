"""One file over HTTP: checked, tried again, continued where it stopped, and put in its place whole or not at all."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from compendium import __version__
from compendium.data.download.checksums import mismatch
from compendium.errors import BadInput

if TYPE_CHECKING:
    import requests

BLOCK = 1 << 18  # bytes from the network to the disk at once
LOOPBACK = ("127.0.0.1", "::1", "localhost")
PASSING = (408, 425, 429, 500, 502, 503, 504)  # answers that may be another one a moment later


class NotArrived(BadInput):
    """A file that did not arrive; others may."""


class NotThere(NotArrived):
    """The server has no such file."""


class Passing(NotArrived):
    """What another attempt may mend."""


class WrongBytes(Passing):
    """A file that arrived and is another one."""


class Unreachable(Passing):
    """Nobody answers at the address: no other file will arrive from there either."""


@dataclass(frozen=True)
class Patience:
    """How a file is asked for.

    ranges_above: a larger file comes in ranges of this many bytes. attempts: of each file; backoff: seconds before the second attempt, doubled before each
    further one. timeout: seconds to connect, and without a byte.
    """

    ranges_above: int = 100_000_000
    attempts: int = 5
    backoff: float = 1.0
    timeout: tuple[float, float] = (10.0, 60.0)


USUAL = Patience()


def download(
    url: str,
    target: Path,
    check: str | None = None,
    patience: Patience = USUAL,
    advance: Callable[[int], object] = lambda received: None,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Bring the file at `url` to `target`; `advance` hears of every block of bytes, and of 0 before each attempt; `pause` waits between them.

    What has come of a file stays in `<target>.part` and is continued, in this call or a later one, while the server's ETag or date says that it is the same file.
    Without a check the answer has to vouch for the file: no page, a known end, and bytes that begin as the name of the target says.
    Raises NotArrived. A file that was there and is asked for again counts as wrong and goes first.
    """
    failure: NotArrived | None = None
    for attempt in range(patience.attempts):
        if attempt:
            pause(patience.backoff * 2 ** (attempt - 1))
        advance(0)
        try:
            return _retrieve(url, target, _Ranges(target, check, patience, advance))
        except Passing as error:
            again = isinstance(error, WrongBytes) and str(error) == str(failure)
            failure = error
            if again:  # the same wrong bytes twice are what the server has
                break
    raise failure


def _retrieve(url: str, target: Path, ranges: "_Ranges") -> None:
    """One attempt. pooch makes the temporary file and renames it; the bytes and their check are ours, because it knows neither ranges nor git ids."""
    import pooch
    import requests
    import urllib3

    pooch.get_logger().setLevel("WARNING")
    target.unlink(missing_ok=True)  # pooch leaves alone what is there
    try:
        pooch.retrieve(
            url, known_hash=None, fname=target.name, path=target.parent, downloader=ranges
        )
    except NotArrived:
        raise
    except (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        ValueError,
    ) as error:  # ValueError: redirected to what is no address
        raise _explained(error, url, ranges) from error


class _Ranges:
    """pooch's downloader: one range of the file after the other into `<target>.part`, its ETag or date beside it."""

    def __init__(
        self, target: Path, check: str | None, patience: Patience, advance: Callable[[int], object]
    ) -> None:
        self.name, self.check, self.patience, self.advance = target.name, check, patience, advance
        self.part, self.tag = (
            target.with_name(f"{target.name}.part"),
            target.with_name(f"{target.name}.part.tag"),
        )

    def __call__(self, url: str, output_file: str, pooch: object, check_only: bool = False) -> None:
        import requests

        Path(
            output_file
        ).unlink()  # pooch's temporary file, empty until the end: a killed process shall not leave it behind
        if not self._known_version():  # nothing says of which file the part was
            self._discard()
        with requests.Session() as session:
            session.headers["User-Agent"] = (
                f"compendium/{__version__}"  # some publishers refuse nameless programs
            )
            session.trust_env = (
                urlsplit(url).hostname not in LOOPBACK
            )  # proxies are for other machines
            while self._more(session, url):
                pass
        if wrong := mismatch(self.part, self.check, self.name):
            self._discard()
            raise WrongBytes(wrong)
        self.part.chmod(0o644)
        self.part.replace(output_file)
        self.tag.unlink(missing_ok=True)

    @property
    def received(self) -> int:
        """Bytes of the file that are on the disk."""
        return self.part.stat().st_size if self.part.exists() else 0

    def _known_version(self) -> str:
        return self.tag.read_text() if self.tag.exists() else ""

    def _more(self, session: "requests.Session", url: str) -> bool:
        """Ask for the next range; whether more is to come."""
        have = self.received
        headers = {
            "Accept-Encoding": "identity",
            "Range": f"bytes={have}-{have + self.patience.ranges_above - 1}",
        }
        if have and (version := self._known_version()):
            headers["If-Range"] = version
        with session.get(
            url, headers=headers, stream=True, timeout=self.patience.timeout
        ) as answer:
            if answer.status_code == 416:
                return self._beyond(answer)
            answer.raise_for_status()
            self._vouched(answer)
            begin, total = _extent(answer) if answer.status_code == 206 else (0, None)
            if answer.status_code == 206 and (
                begin != have or (begin and self._known_version() != _version(answer))
            ):
                self._discard()
                raise Passing(
                    f"the file at {url} changed while it came"
                    if begin == have
                    else f"the server sends byte {begin:,} where {have:,} is asked for"
                )
            self._write(answer, begin)
        if total and self.received <= begin:
            raise Passing(f"the server sends nothing after {begin:,} of {total:,} bytes")
        return total is not None and self.received < total

    def _vouched(self, answer: "requests.Response") -> None:
        """Refuse an answer that is no file, or of which nothing else would tell that it is another one or not all of it."""
        kind = answer.headers.get("Content-Type", "")
        if answer.status_code not in (200, 206):
            raise NotArrived(f"HTTP {answer.status_code} {answer.reason} at {answer.url}")
        if not self.check and "html" in kind and "htm" not in Path(self.name).suffix:
            raise NotArrived(f"{answer.url} answers with a page ({kind}), not with the file")
        if not self.check and answer.raw.length_remaining is None and not answer.raw.chunked:
            raise NotArrived(f"{answer.url} does not say how long the file is")

    def _write(self, answer: "requests.Response", begin: int) -> None:
        """Append the body, or start again where the answer begins with the first byte."""
        try:
            with self.part.open("ab" if begin else "wb") as file:
                if not begin:
                    self.tag.write_text(_version(answer))
                for block in answer.raw.stream(BLOCK, decode_content=False):
                    file.write(block)
                    self.advance(len(block))
        except OSError as error:  # a write that fails does not say where
            raise OSError(error.errno, error.strerror, str(self.part)) from error

    def _beyond(self, answer: "requests.Response") -> bool:
        """No byte stands where we asked: the file was complete, or what we have is none of it."""
        if answer.headers.get("Content-Range") != f"bytes */{self.received}":
            self._discard()
            raise Passing("what had come of it is no part of the file that is there now")
        self.part.touch()
        return False

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)


def _version(answer: "requests.Response") -> str:
    """What identifies this version of the file: a strong ETag, or else its date, or else nothing."""
    etag = answer.headers.get("ETag", "W/")
    return answer.headers.get("Last-Modified", "") if etag.startswith("W/") else etag


def _extent(answer: "requests.Response") -> tuple[int, int]:
    """First byte and total number of bytes, as the answer to a range states them."""
    stated = answer.headers.get("Content-Range", "")
    if not (found := re.fullmatch(r"bytes (\d+)-\d+/(\d+)", stated)):
        raise NotArrived(f"the server answers with a range that says {stated!r}")
    return int(found[1]), int(found[2])


def _explained(error: Exception, url: str, ranges: _Ranges) -> NotArrived:
    """What an error of the network means for the file."""
    import requests
    import urllib3

    if isinstance(error, requests.HTTPError):
        status = error.response.status_code
        kind = NotThere if status in (404, 410) else Passing if status in PASSING else NotArrived
        return kind(f"HTTP {status} {error.response.reason} at {url}")
    if isinstance(error, requests.ReadTimeout | urllib3.exceptions.ReadTimeoutError):
        return Passing(
            f"nothing came for {ranges.patience.timeout[1]:g} s after {ranges.received:,} bytes from {url}"
        )
    cause = error.args[0] if error.args else error
    if isinstance(error, urllib3.exceptions.HTTPError) or isinstance(
        cause, urllib3.exceptions.ProtocolError
    ):
        return Passing(f"the connection broke after {ranges.received:,} bytes from {url}")
    reason = str(getattr(cause, "reason", cause)).rsplit(": ", 1)[-1]
    if isinstance(error, requests.ConnectionError):
        return Unreachable(f"{urlsplit(url).netloc} cannot be reached ({reason})")
    return NotArrived(f"{url} cannot be had ({reason})")
