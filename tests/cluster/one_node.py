"""A Slurm cluster of one node on this machine, from Debian's packages, with own keys and ports."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import watched

SBIN = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
DAEMONS = ("munged", "slurmctld", "slurmd")
CONFIGURATION = """
ClusterName=one
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
JobRequeue=1
KillWait=1
ReturnToService=2
SchedulerParameters=sched_interval=2,batch_sched_delay=1
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
MailProg=/bin/true
NodeName=here NodeHostname={host} NodeAddr=127.0.0.1 CPUs=2
PartitionName=all Nodes=here Default=YES
"""


def missing() -> str:
    """The daemon that is not installed, if any."""
    return next((name for name in DAEMONS if not shutil.which(name, path=SBIN)), "")


class OneNode:
    """The folder should have a short path, for munge's socket. `stop` ends what `begin` started."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.daemons = folder, []
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}

    def begin(self) -> None:
        """Write the configuration, start the daemons, wait for the node."""
        folder, key = self.folder, self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        for name in ("state", "spool"):
            (folder / name).mkdir()
        (folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                folder=folder,
                user=getpass.getuser(),
                host=socket.gethostname(),
                ports=free_ports(2),
            )
        )
        (folder / "cgroup.conf").write_text(
            f"CgroupPlugin=cgroup/v1\nCgroupMountpoint={folder}/none\nCgroupAutomount=no\n"
        )  # containers let nobody at theirs
        self.start(
            "munged",
            "--foreground",
            "--force",
            *(f"--{what}-file={folder}/munge.{what}" for what in ("key", "pid", "seed", "log")),
            f"--socket={folder}/munge",
        )
        watched.until(lambda: (folder / "munge").exists(), 10)
        self.start("slurmctld", "-D")
        self.start("slurmd", "-D", "-N", "here")
        watched.until(lambda: self.ask("sinfo", "--noheader", "--format=%T") == "idle", 30)

    def start(self, name: str, *options: str) -> None:
        with (self.folder / f"{name}.log").open("w") as log:
            command = [shutil.which(name, path=SBIN), *options]
            self.daemons.append(
                subprocess.Popen(
                    command,
                    env=os.environ | self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def ask(self, *command: str) -> str:
        """What a command of Slurm prints."""
        return subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True, timeout=30
        ).stdout.strip()

    def crash(self) -> None:
        """The node dies with all that runs on it, and comes back."""
        slurmd = self.daemons.pop()
        for process in (slurmd.pid, *self.left()):
            kill(process)
        slurmd.wait()
        self.ask("scontrol", "update", "nodename=here", "state=down", "reason=crashed")
        self.start("slurmd", "-D", "-N", "here")

    def stop(self) -> None:
        """Jobs first, then the daemons, then whatever of theirs is left."""
        try:
            self.ask("scancel", "--me")
            watched.until(lambda: not self.ask("squeue", "--noheader"), 15)
        finally:
            for daemon in reversed(self.daemons):
                daemon.terminate()
                try:
                    daemon.wait(3)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()
            for process in self.left():
                kill(process)

    def left(self) -> list[int]:
        """Processes started with this cluster's configuration: jobs do not end with slurmd."""
        mark = f"SLURM_CONF={self.environment['SLURM_CONF']}".encode()
        own = {os.getpid(), *(daemon.pid for daemon in self.daemons)}
        return [
            process
            for path in Path("/proc").glob("[0-9]*/environ")
            if (process := int(path.parent.name)) not in own and mark in read(path)
        ]


def kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def read(path: Path) -> bytes:
    """Nothing where the process has ended or is another user's."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody uses now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
