"""environment.yml and pyproject.toml ask for the same things."""

import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def test_environment_lists_the_core_and_every_extra_with_the_same_bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    listed = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert sorted(listed) == sorted([*asked, "-e ."])


def test_environment_is_named_and_its_python_is_supported():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["name"] == "compendium"
    assert "python=3.11" in environment["dependencies"] and "pip" in environment["dependencies"]
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].startswith(">=3.11")
