"""Archives for tests, harmless or not."""

import io
import tarfile
import zipfile
from pathlib import Path

VISIUM = {
    "spatial/scalefactors_json.json": b"{}",
    "spatial/tissue_positions_list.csv": b"AAAC-1,1,0,16,1000,1200\n" * 1000,
}


def tar(path: Path, files: dict[str, bytes], *members: tarfile.TarInfo) -> Path:
    """A .tar.gz of files, and of members without content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in members:
            archive.addfile(member)
    return path


def zipped(path: Path, files: dict[str, bytes], mode: int = 0) -> Path:
    """A .zip of files that are, by their Unix mode, perhaps something else."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return path


def member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """An entry without content: a folder, a link, a device."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made
