"""environment.yml, pyproject.toml and requirements.lock ask for the same things."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ASKED = [
    *PROJECT["dependencies"],
    *(line for extra in PROJECT["optional-dependencies"].values() for line in extra),
]
TESTED = ["3.11", "3.12", "3.13"]
LOCK = (ROOT / "requirements.lock").read_text()


def pinned(python: str) -> dict[str, Version]:
    """Name -> version of every line of the lock that holds on Linux with this Python.

    A name that is pinned twice is an error.
    """
    environment = default_environment() | {
        "sys_platform": "linux",
        "python_version": python,
        "python_full_version": f"{python}.7",
    }
    found: dict[str, Version] = {}
    for line in re.findall(r"^\w.*", LOCK, re.MULTILINE):
        requirement = Requirement(line.removesuffix("\\"))
        if requirement.marker is None or requirement.marker.evaluate(environment):
            (only,) = requirement.specifier
            assert only.operator == "==" and requirement.name not in found, line
            found[requirement.name] = Version(only.version)
    return found


def test_environment_lists_the_core_and_every_extra_with_the_same_bounds():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    listed = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert sorted(listed) == sorted([*ASKED, "-e ."])


def test_environment_is_named_and_its_python_is_supported():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["name"] == "compendium"
    assert (
        f"python={TESTED[-1]}" in environment["dependencies"]
        and "pip" in environment["dependencies"]
    )


def test_what_is_tested_is_named_and_what_the_lock_allows_beyond_it_is_not():
    """3.14 is allowed by the lock, and no promise."""
    named = [
        line.rpartition(" ")[2]
        for line in PROJECT["classifiers"]
        if line.startswith("Programming Language :: Python :: 3.")
    ]
    assert named == TESTED
    assert [
        minor for minor in range(8, 20) if f"3.{minor}" in SpecifierSet(PROJECT["requires-python"])
    ] == [11, 12, 13, 14]


@pytest.mark.parametrize("python", [*TESTED, "3.14"])
def test_the_lock_pins_every_direct_dependency_within_its_bounds(python):
    pins = pinned(python)
    asked = [Requirement(line) for line in ASKED]
    assert [str(each) for each in asked if each.name not in pins] == []
    assert [
        f"{each}, pinned {pins[each.name]}"
        for each in asked
        if not each.specifier.contains(pins[each.name])
    ] == []


def test_the_lock_works_with_any_index():
    assert LOCK.splitlines()[1] == "#    make lock"
    assert "://" not in LOCK
    lines = [line.strip() for line in LOCK.splitlines()[2:]]
    assert [
        line
        for line in lines
        if not re.fullmatch(r"(\w\S+==[^\\]+|--hash=sha256:[0-9a-f]{64}) ?\\?", line)
    ] == []
    assert not re.findall(
        r"^\w.*(?<!\\)$", LOCK, re.MULTILINE
    )  # every pin is followed by its checksums


def test_torch_and_torchvision_are_plain_versions():
    for python in (*TESTED, "3.14"):
        pins = pinned(python)
        assert all(
            re.fullmatch(r"\d+\.\d+\.\d+", str(pins[name])) for name in ("torch", "torchvision")
        )


@pytest.fixture
def interpreters(tmp_path):
    """A folder for PATH and one of pyenv's with interpreters that tell their version.

    Of 3.13 there is only the shim of one that is not active.
    """

    def put(path: Path, says: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{says}\n")
        path.chmod(0o755)

    for name, says in (
        ("python3.13", "exit 127"),
        ("python3.12", "echo 3.12"),
        ("python3.10", "echo 3.10"),
        ("python3", "echo 3.14"),
    ):
        put(tmp_path / "bin" / name, says)
    for version in ("3.11.7", "3.14.0"):
        put(tmp_path / "pyenv" / "versions" / version / "bin" / "python", f"echo {version[:4]}")
    return tmp_path


def listed(place: Path, path: str) -> list[str]:
    words = {"PATH": path, "PYENV_ROOT": str(place / "pyenv"), "HOME": str(place)}
    done = subprocess.run(
        [shutil.which("bash"), ROOT / ".ci" / "pythons"],
        env=words,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return [str(Path(line).relative_to(place)) for line in done.stdout.splitlines()]


def test_the_supported_interpreters_that_run_are_found_newest_first(interpreters):
    pyenv = "pyenv/versions/3.11.7/bin/python"
    assert listed(interpreters, str(interpreters / "bin")) == ["bin/python3.12", pyenv]
    (interpreters / "bin" / "python3").write_text("#!/bin/sh\necho 3.13\n")
    assert listed(interpreters, str(interpreters / "bin")) == [
        "bin/python3",
        "bin/python3.12",
        pyenv,
    ]
    assert listed(interpreters, "") == [pyenv]


def test_make_takes_the_newest_and_an_environment_of_any_name(interpreters):
    words = {
        "PATH": f"{interpreters / 'bin'}:/usr/bin:/bin",
        "PYENV_ROOT": str(interpreters / "none"),
        "HOME": str(interpreters),
    }
    made = subprocess.run(
        ["make", "--dry-run", "VENV=.venv-of-a-test", ".venv-of-a-test/.ready"],
        cwd=ROOT,
        env=words,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert f"{interpreters}/bin/python3.12 -m venv .venv-of-a-test\n" in made.stdout
