"""Commands of the package in forked children of one process that has imported torch already.

Run as a script it is that process: it forks a child for every order on its standard input, and
waits for one when told to.
"""

import faulthandler
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

UNPRIVILEGED = """
import ctypes
for capability in range(64):
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # for the processes that this one starts
assert ctypes.CDLL(None).capset((0x20080522).to_bytes(8, "little"), bytes(24)) == 0
"""  # root too is then bound by permissions
# A checkpoint after every epoch, and a line for every epoch that a run trains.
LOGGED = """
import compendium.runs.fit as fit
fit.CHECKPOINT_SECONDS, epoch = 0.0, fit._Training.epoch
def logged(training, number):
    if training.run.split.rule != "trial":
        with open("epochs", "a") as lines:
            lines.write(f"{training.run.split.name} {number}\\n")
    return epoch(training, number)
fit._Training.epoch = logged
"""
# Ends the process when it is about to touch the disk for the nth time.
KILLED_AT = """
import os, sys
WRITES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.utime")
left = {}
def touch(event, arguments):
    global left
    if (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)) or event in WRITES:
        left -= 1
        if not left:
            os.kill(os.getpid(), 9)
sys.addaudithook(touch)
"""
# Ends the process, as kill -9 does, when it has computed for so many seconds.
KILLED_AFTER = """
import signal
signal.setitimer(signal.ITIMER_PROF, {})
"""
PATIENCE = 60.0
HANGS = 600.0  # seconds


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit status (minus its signal), output, peak memory, CPU seconds."""

    status: int
    out: str
    err: str
    peak_mb: int
    seconds: float

    @property
    def line(self) -> str:
        """The one line of a command that was refused."""
        lines = [line for line in self.err.splitlines() if line.startswith("compendium: ")]
        assert (self.status, len(lines)) == (2, 1), self
        assert "Traceback" not in self.err, self
        return lines[0]


@dataclass(frozen=True)
class Child:
    """A command on its way, in a process group of its own."""

    commands: "Commands"
    pid: int
    folder: Path

    @property
    def began(self) -> dict[str, int]:
        """Split -> epoch with which this process began to train on it, as LOGGED wrote it."""
        epochs = self.folder / "epochs"
        lines = epochs.read_text().splitlines() if epochs.exists() else []
        return {split: int(epoch) for split, epoch in map(str.split, reversed(lines))}

    def kill(self, what: int = signal.SIGKILL) -> Ended:
        """End it, or ask it to, and wait."""
        os.kill(self.pid, what)
        return self.wait()

    def wait(self) -> Ended:
        """Wait for its end."""
        status, peak_mb, seconds = self.commands.ask(wait=self.pid)
        return Ended(
            status, *((self.folder / name).read_text() for name in ("out", "err")), peak_mb, seconds
        )

    def until(self, happened: Callable[[], object]) -> "Child":
        """Wait until something is so."""
        until(happened)
        return self


class Commands:
    """Starts commands."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0
        alone = os.environ | {
            "OMP_NUM_THREADS": "1"
        }  # no threads before a fork, and the same numbers whatever else runs
        self.server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=alone,
        )
        assert self._answer() == "ready"

    def ask(self, **order) -> object:
        """Send an order and wait for the answer."""
        self.server.stdin.write(json.dumps(order) + "\n")
        self.server.stdin.flush()
        return self._answer()

    def _answer(self) -> object:
        return json.loads(self.server.stdout.readline())

    def start(self, *arguments: str, home: Path, first: str = "", cwd: Path | None = None) -> Child:
        """Start `compendium ARGUMENTS` after the Python statements `first`."""
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir()
        return Child(
            self,
            self.ask(
                arguments=arguments,
                home=str(home),
                first=first,
                cwd=str(cwd or folder),
                said=str(folder),
            ),
            folder,
        )

    def run(self, *arguments: str, home: Path, first: str = "", cwd: Path | None = None) -> Ended:
        """Start a command and wait for its end."""
        return self.start(*arguments, home=home, first=first, cwd=cwd).wait()

    def close(self) -> None:
        """End the process that forks; its children have ended, or have been killed."""
        self.server.stdin.close()
        self.server.wait(PATIENCE)
        self.server.stdout.close()


def until(happened: Callable[[], object]) -> None:
    """Wait until something is so; a failure where it never is."""
    for _ in range(int(PATIENCE / 0.005)):
        if happened():
            return
        time.sleep(0.005)
    raise AssertionError(f"not in {PATIENCE:.0f} s")


def serve() -> None:
    """Fork a child for every order; the imports are made once."""
    for module in (
        "torch",
        "papermill",
        "sklearn.linear_model",
        "compendium.book.run.chapters",
        "compendium.data.prepare",
        "compendium.runs.study.progress",
    ):
        import_module(module)
    import torch

    torch.optim.Adam(
        [torch.zeros(1, requires_grad=True)]
    )  # imports a hundred modules at the first call
    print('"ready"', flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            status, usage = ended(order["wait"])
            print(
                json.dumps(
                    [
                        os.waitstatus_to_exitcode(status),
                        usage.ru_maxrss // 1024,
                        usage.ru_utime + usage.ru_stime,
                    ]
                ),
                flush=True,
            )
        elif pid := os.fork():
            print(pid, flush=True)
        else:
            child(order)
    os._exit(0)


def ended(pid: int) -> tuple[int, resource.struct_rusage]:
    """Wait for the end of a child; one that hangs prints its stacks and ends."""
    for _ in range(int(HANGS / 0.01)):
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            return status, usage
        time.sleep(0.01)
    os.kill(pid, signal.SIGABRT)
    return os.wait4(pid, 0)[1:]


def child(order: dict) -> None:
    """One command, from its streams to its exit status."""
    status = 1
    try:
        os.setsid()
        for stream, name in (
            (0, os.devnull),
            (1, f"{order['said']}/out"),
            (2, f"{order['said']}/err"),
        ):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), stream)
        faulthandler.enable()
        os.environ["COMPENDIUM_HOME"] = order["home"]
        os.chdir(order["cwd"])
        exec(order["first"], {})

        from compendium.__main__ import main

        status = main(order["arguments"])
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001  # told where the command is looked at
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
