"""HTTP server on 127.0.0.1 that serves a folder, misbehaves on demand and counts requests."""

import hashlib
import re
import socket
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

PIECE = 1 << 16
PAGE = b"<html>please log in</html>"
ANSWERS = {  # fault -> status, headers, body
    "page": (200, {"Content-Type": "text/html", "Content-Length": str(len(PAGE))}, PAGE),
    "unmeasured": (200, {}, 5000),
    "busy": (429, {"Retry-After": "7", "Content-Length": "0"}, b""),
    "first": (206, {"Content-Range": "bytes 0-9/1000", "Content-Length": "10"}, 10),
}


class RudeServer(ThreadingHTTPServer):
    """Serves `folder` with byte ranges, ETags and If-Range.

    `faults` holds for each path what happens to its next requests, one each; None is no fault. The
    last one stays where `for_ever` names the path. A fault is a status (404, 500), an address to go
    to, or one of

    - "cut": half of the body, then the connection ends;
    - "slow": half of it, then silence;
    - "silent": nothing at all;
    - "short": a tenth is missing and the length says so;
    - "long": the length promises more than comes;
    - "wrong": one byte is another one;
    - "empty": a range without bytes;
    - "first": always the first ten bytes;
    - "page": a login page;
    - "busy": status 429, to be asked again in 7 s;
    - "unmeasured": half of the body, and no length.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.ranges, self.conditions, self.tags, self.dates = (
            True,
            True,
            True,
            False,
        )  # what it heeds, and what it sends
        self.faults: dict[str, list] = defaultdict(list)
        self.for_ever: set[str] = set()
        self.versions: dict[str, str] = {}  # path -> ETag that is not that of its bytes
        self.asked: list[tuple[str, str]] = []  # path and range
        self.agents: set[str] = set()
        self.sent: Counter[str] = Counter()  # bytes of body by path
        self.over = threading.Event()
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def asked_for(self, path: str) -> list[str]:
        """The ranges of all requests for a path."""
        return [span for each, span in self.asked if each == path]

    def forget(self) -> None:
        """Count from nothing."""
        self.asked.clear()
        self.sent.clear()

    def note(self, path: str, span: str) -> object:
        with self._lock:
            self.asked.append((path, span))
            faults = self.faults[path]
            return (
                faults[0]
                if path in self.for_ever and len(faults) == 1
                else faults.pop(0)
                if faults
                else None
            )

    def count(self, path: str, sent: int) -> None:
        with self._lock:
            self.sent[path] += sent

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: RudeServer

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path.lstrip("/"))
        self.server.agents.add(self.headers.get("User-Agent", ""))
        fault = self.server.note(path, self.headers.get("Range", ""))
        file = self.server.folder / path
        if isinstance(fault, int) or not file.is_file():
            self._refuse(fault if isinstance(fault, int) else 404)
        elif fault == "silent":
            self.server.over.wait(20)
        elif fault in ANSWERS or str(fault).startswith("http"):
            self._answer(*ANSWERS.get(fault, (302, {"Location": fault}, b"")), file.read_bytes())
        else:
            self._send(path, file.read_bytes(), fault)

    def _answer(
        self, status: int, headers: dict[str, str], body: bytes | int, content: bytes
    ) -> None:
        """What has nothing to do with what was asked for; a number is so many bytes of the file."""
        body = content[:body] if isinstance(body, int) else body
        self.send_response(status)
        for header in headers.items():
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for header in (*headers, ("Content-Length", "0")):
            self.send_header(*header)
        self.end_headers()

    def _send(self, path: str, content: bytes, fault: object) -> None:
        tag = self.server.versions.get(
            path, f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        )
        date = "Wed, 01 Sep 2021 10:00:00 GMT"
        version = tag if self.server.tags else date
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        partly = (
            bool(asked)
            and self.server.ranges
            and (not self.server.conditions or self.headers.get("If-Range", version) == version)
        )
        begin, end = (
            (int(asked[1]), min(int(asked[2]) + 1, len(content))) if partly else (0, len(content))
        )
        if partly and begin >= len(content):
            return self._refuse(416, ("Content-Range", f"bytes */{len(content)}"))
        body = b"" if fault == "empty" else content[begin:end]
        if fault == "short":
            body = body[: len(body) - len(body) // 10 - 1]
        self.send_response(206 if partly else 200)
        self.send_header("Content-Length", str(len(body) + 1000 * (fault == "long")))
        if partly:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(content)}")
        if self.server.tags:
            self.send_header("ETag", tag)
        if self.server.dates:
            self.send_header("Last-Modified", date)
        self.end_headers()
        self._body(path, body, fault)

    def _body(self, path: str, body: bytes, fault: object) -> None:
        if fault == "wrong":
            body = body[:10] + bytes([body[10] ^ 1]) + body[11:]
        if fault in ("cut", "slow"):
            body = body[: len(body) // 2]
        for start in range(0, len(body), PIECE):
            piece = body[start : start + PIECE]
            self.server.count(
                path, len(piece)
            )  # before the client can have it, so that a test never counts too early
            self.wfile.write(piece)
        self.wfile.flush()
        if fault == "slow":
            self.server.over.wait(20)


def unused_address() -> str:
    """An address of this machine at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/"


@contextmanager
def serving(folder: Path) -> Iterator[RudeServer]:
    """The server, for as long as the block lasts."""
    server = RudeServer(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
