"""environment.yml, pyproject.toml and requirements.lock ask for the same things."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ASKED = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
LOCK = (ROOT / "requirements.lock").read_text()


def pinned(python: str) -> dict[str, Version]:
    """Name -> version of every line of the lock that holds on Linux with this Python; a name that is pinned twice is an error."""
    environment = default_environment() | {"sys_platform": "linux", "python_version": python, "python_full_version": f"{python}.7"}
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
    assert "python=3.11" in environment["dependencies"] and "pip" in environment["dependencies"]
    assert PROJECT["requires-python"].startswith(">=3.11")


@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_the_lock_pins_every_direct_dependency_within_its_bounds(python):
    pins = pinned(python)
    asked = [Requirement(line) for line in ASKED]
    assert [str(each) for each in asked if each.name not in pins] == []
    assert [f"{each}, pinned {pins[each.name]}" for each in asked if not each.specifier.contains(pins[each.name])] == []


def test_the_lock_works_with_any_index():
    assert LOCK.splitlines()[1] == "#    make lock"
    assert "://" not in LOCK
    lines = [line.strip() for line in LOCK.splitlines()[2:]]
    assert [line for line in lines if not re.fullmatch(r"(\w\S+==[^\\]+|--hash=sha256:[0-9a-f]{64}) ?\\?", line)] == []
    assert not re.findall(r"^\w.*(?<!\\)$", LOCK, re.MULTILINE)  # every pin is followed by its checksums


def test_torch_and_torchvision_are_plain_versions():
    for python in ("3.11", "3.12"):
        pins = pinned(python)
        assert all(re.fullmatch(r"\d+\.\d+\.\d+", str(pins[name])) for name in ("torch", "torchvision"))
