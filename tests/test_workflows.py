"""The workflows pass their linters and keep the rules of the house.

Foreign code reaches no runner of one's own, nobody may more than he needs.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from compendium.__main__ import parser
from compendium.book.notebook import profiles
from compendium.data.readers.her2st_labels import annotated_section
from compendium.data.sources import cohort

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
BIN = Path(sys.executable).parent
PINNED = re.compile(r"[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def load(name: str) -> dict:
    """A workflow; YAML 1.1 reads its key `on` as true."""
    workflow = yaml.safe_load(
        (ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8")
    )
    return {"on" if key is True else key: value for key, value in workflow.items()}


def lines(step: dict) -> list[str]:
    return [line.strip() for line in step.get("run", "").splitlines()]


def steps() -> list[dict]:
    return [
        step for file in FILES for job in load(file.stem)["jobs"].values() for step in job["steps"]
    ]


def zizmor(*paths: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [BIN / "zizmor", "--offline", "--no-progress", *paths],
        capture_output=True,
        text=True,
        timeout=60,
    )


def schema(*paths: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *paths],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_there_are_two():
    assert [file.name for file in FILES] == ["book.yml", "tests.yml"]


@pytest.mark.parametrize("lint", [zizmor, schema])
def test_the_linters_find_nothing(lint):
    done = lint(*FILES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("lint", "good", "bad"),
    [
        (zizmor, "  pull_request:", "  pull_request_target:"),
        (zizmor, "@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0", "@v5"),
        (zizmor, "- run: make test", "- run: make test ${{ github.event.pull_request.title }}"),
        (schema, "runs-on: ubuntu-latest", "run-on: ubuntu-latest"),
    ],
)
def test_the_linters_would_find_it(lint, good, bad, tmp_path):
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    assert good in text
    worse = tmp_path / ".github" / "workflows" / "tests.yml"
    worse.parent.mkdir(parents=True)
    worse.write_text(text.replace(good, bad), encoding="utf-8")
    assert lint(worse).returncode != 0


def test_the_book_is_made_on_push_to_main_or_by_hand_only():
    asked = load("book")["on"]
    assert set(asked) == {"push", "workflow_dispatch"}
    assert asked["push"] == {"branches": ["main"]}
    profile = asked["workflow_dispatch"]["inputs"]["profile"]
    assert profile["default"] == "demo"
    assert set(profile["options"]) <= {
        file.stem for file in (ROOT / "notebooks" / "profiles").glob("*.yaml")
    }


def test_the_book_is_made_on_the_gpu_runner_only_and_published_from_main_only():
    jobs = load("book")["jobs"]
    assert (jobs["build"]["if"], jobs["build"]["runs-on"]) == (
        "vars.GPU_RUNNER != ''",
        "${{ vars.GPU_RUNNER }}",
    )
    commands = [line for step in jobs["build"]["steps"] for line in lines(step)]
    checked = next(i for i, line in enumerate(commands) if "torch.cuda.is_available()" in line)
    assert commands.index("make book") > checked
    assert (jobs["publish"]["needs"], jobs["publish"]["if"]) == (
        "build",
        "github.ref == 'refs/heads/main'",
    )
    assert jobs["publish"]["environment"]["name"] == "github-pages"


def test_nobody_may_more_than_he_needs():
    read = {"contents": "read"}
    assert load("tests")["permissions"] == read
    book = load("book")
    assert book["permissions"] == {}
    assert {name: job["permissions"] for name, job in book["jobs"].items()} == {
        "build": read,
        "publish": {"pages": "write", "id-token": "write"},
    }
    assert not any(
        "run" in step or "checkout" in step["uses"] for step in book["jobs"]["publish"]["steps"]
    ), "what may publish runs no code of the repository"
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == 2 and all(
        step["with"]["persist-credentials"] is False for step in checkouts
    )


def test_the_tests_run_for_pull_requests_on_every_supported_python():
    workflow = load("tests")
    assert set(workflow["on"]) == {"push", "pull_request"}
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert "secrets" not in (ROOT / ".github" / "workflows" / "tests.yml").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_action_is_pinned_and_every_job_ends(file):
    used = re.findall(r"^\s*(?:- )?uses: (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert used and [action for action in used if not PINNED.fullmatch(action)] == []
    workflow = load(file.stem)
    assert all(job["timeout-minutes"] <= 360 for job in workflow["jobs"].values())
    assert workflow["concurrency"]["group"]


def test_no_command_is_pasted_together_from_outside():
    assert [step["run"] for step in steps() if "${{" in step.get("run", "")] == []


def test_every_command_exists():
    commands = [line for step in steps() for line in lines(step)]
    targets = [shlex.split(line)[1] for line in commands if line.startswith("make ")]
    assert {"test", "book"} <= set(targets)
    for target in targets:
        done = subprocess.run(
            ["make", "--dry-run", target, "VENV=.venv"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
    own = [
        parser().parse_args(shlex.split(line)[1:])
        for line in commands
        if line.startswith(".venv/bin/compendium ")
    ]
    assert [options.command for options in own] == ["fetch", "prepare"]


def test_measured_sections_come_with_the_files_that_their_labels_are_carried_over_from():
    shown = profiles.load("her2st-subset", ROOT).sections
    wanted = {*shown, *filter(None, map(annotated_section, shown))}
    assert wanted > {*shown}
    commands = [
        shlex.split(line)[1:]
        for step in load("book")["jobs"]["build"]["steps"]
        for line in lines(step)
        if line.startswith(".venv/bin/compendium ")
    ]
    for options in map(parser().parse_args, commands):
        assert wanted <= {*(options.sections or cohort("her2st").sections)}, (
            f"{options.command} leaves out sections whose labels are carried over"
        )
