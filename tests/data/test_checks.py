"""Checksums as the catalogue writes them."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from compendium.data.download.checksums import blob_id, checksum, is_whole, mismatch


def test_blob_id_is_gits(tmp_path: Path):
    path = tmp_path / "file"
    for content in (b"", b"spot\tgene\n" * 100_000):
        path.write_bytes(content)
        assert (
            blob_id(path)
            == subprocess.check_output(
                ["git", "hash-object", "--no-filters", path], text=True
            ).strip()
        )


@pytest.mark.parametrize("kind", ["md5:", "sha256:", ""])
def test_a_file_is_whole_if_it_has_the_checksum_of_whatever_kind(tmp_path: Path, kind: str):
    path = tmp_path / "file"
    assert not is_whole(path, None)
    path.write_bytes(b"spots")
    good = checksum(path, kind)
    assert (
        good
        == {
            "md5:": f"md5:{hashlib.md5(b'spots').hexdigest()}",
            "sha256:": f"sha256:{hashlib.sha256(b'spots').hexdigest()}",
            "": blob_id(path),
        }[kind]
    )
    assert is_whole(path, good) and is_whole(path, None)
    path.write_bytes(b"spotz")
    assert not is_whole(path, good) and is_whole(path, None)
    assert (
        mismatch(path, good)
        == f"expected {'' if kind else 'git blob '}{good}, found {checksum(path, kind)}"
    )
