"""The documents at the top of the repository say what is there."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from compendium import __version__
from compendium.book.notebook import tables as results
from compendium.book.site.readme import CHAPTER, PROFILE, lines, written

ROOT = Path(__file__).resolve().parents[1]
ROOMS = "book|data|notebooks|src|tests"
MADE_LOCALLY = (
    "book/chapters",
    "data/stained",
    "data/raw",
    "data/sections",
    "data/features",
    "data/runs",
    "data/scores",
    "data/tables",
)
# Written in pieces, so that this file does not hold what it looks for.
FOREIGN = re.compile(
    r"/wo"
    r"rk/|/ho"
    r"me/\w|/Us"
    r"ers/\w|python"
    r"hosted\.org|pypi\.o"
    r"rg/simple|registry\.n"
    r"pm|anaconda\.o"
    r"rg|--(extra-)?index-ur"
    r"l"
)
TEXT = {
    ".py",
    ".md",
    ".yaml",
    ".yml",
    ".toml",
    ".lock",
    ".txt",
    ".csv",
    ".bib",
    ".cff",
    ".ipynb",
    ".css",
    ".js",
    ".sh",
    "",
}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def named_paths(document: str) -> set[str]:
    """Relative link targets, and paths in backticks that start with a room of the repository."""
    links = {
        target.split("#")[0]
        for target in re.findall(r"\]\(([^)\s]+)\)", document)
        if "://" not in target
    }
    quoted = set(
        re.findall(
            rf"(?<![\w/.])((?:{ROOMS})/[\w./-]*[\w/])",
            " ".join(re.findall(r"`([^`\n]+)`", document)),
        )
    )
    return {path for path in links | quoted if path and not path.startswith(MADE_LOCALLY)}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_path_that_a_document_names_exists(name: str):
    paths = named_paths(text(name))
    assert len(paths) > 5
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_readme_has_the_commands():
    readme = text("README.md")
    own = (
        "make book",
        "make test",
        "compendium chapter id-loocv",
        "compendium fetch her2st --from FOLDER",
        "compendium prepare her2st",
    )
    commands = (*own, "papermill notebooks/02_id_loocv.ipynb")
    assert [command for command in commands if command not in readme] == []


def test_the_table_of_the_readme_is_that_of_the_published_tables():
    found, readme = results.reference(PROFILE, CHAPTER), text("README.md")
    assert written(readme, found) == readme
    assert len(list(lines(found))) > 10
    part = readme.split("## What real sections say so far")[1].split("\n## ")[0]
    scores = found["scores"]
    assert (scores["section"].nunique(), scores["patient"].nunique()) == (5, 2)
    assert "five sections with images are of two patients" in part
    assert all(
        re.search(r"[Tt]wo patients", text(f"book/{page}.md")) for page in ("intro", "which_method")
    )


def test_pages_name_no_chapter_as_the_only_one_with_a_reference_run():
    assert not [
        name
        for name in ("book/paper_map.md", "book/intro.md", "book/which_method.md", "README.md")
        if re.search(r"only (in )?chapter \d", text(name))
    ]
    assert all(
        "{verdicts}" in text(f"book/{page}.md")
        for page in ("intro", "which_method", "real_sections")
    )


def test_licence_covers_code_and_text():
    licence = text("LICENSE")
    assert licence.startswith("BSD 3-Clause License")
    assert "https://creativecommons.org/licenses/by/4.0/legalcode" in licence


def test_citation_names_this_version_and_the_benchmark():
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["version"] == __version__
    assert f"[{__version__}]" in text("CHANGELOG.md")
    assert citation["references"][0]["doi"] in text("book/references.bib")


def test_the_welcome_page_cites_what_is_listed():
    keys = set(re.findall(r"^@\w+\{([^,]+),", text("book/references.bib"), re.MULTILINE))
    cited = {
        key
        for group in re.findall(r"\{cite\}`([^`]+)`", text("book/intro.md"))
        for key in group.split(",")
    }
    assert cited and cited <= keys


def test_hooks_run_from_the_environment():
    hooks = [
        hook
        for repo in yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
        for hook in repo["hooks"]
    ]
    assert {hook["id"] for hook in hooks} == {"ruff", "nbstripout"}
    assert all(
        hook["language"] == "system" and hook["entry"].startswith(".venv/bin/") for hook in hooks
    )


def test_no_tracked_text_names_a_machine_or_a_package_index():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    files = [
        ROOT / name
        for name in listed.split("\0")
        if name and Path(name).suffix in TEXT and (ROOT / name).is_file()
    ]
    assert len(files) > 20
    assert [
        str(file.relative_to(ROOT))
        for file in files
        if FOREIGN.search(file.read_text(encoding="utf-8", errors="replace"))
    ] == []
