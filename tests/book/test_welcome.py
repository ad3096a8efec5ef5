"""The commands of the welcome page, and the page on which method to take, as they stand."""

import re
import shlex
import subprocess

from compendium.__main__ import parser
from compendium.book.notebook.parameters import declared, from_text
from compendium.book.run.chapters import chapters
from compendium.data.splits import RULES
from compendium.methods import names
from compendium.storage import CHECKOUT


def commands(page: str = "intro") -> list[list[str]]:
    blocks = re.findall(
        r"^```bash\n(.*?)^```",
        (CHECKOUT / "book" / f"{page}.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def test_make_knows_its_targets():
    targets = [words[1] for words in commands() if words[0] == "make"]
    assert targets == ["book"]
    assert (
        subprocess.run(
            ["make", "--dry-run", *targets], cwd=CHECKOUT, capture_output=True, timeout=60
        ).returncode
        == 0
    )


def test_the_command_line_takes_them():
    own = [
        parser().parse_args(words[1:]) for words in commands() if words[0] == ".venv/bin/compendium"
    ]
    assert [options.command for options in own] == ["chapter", "book"]
    chosen = dict(pair.split("=", 1) for pair in own[0].parameters)
    assert from_text(declared(chapters()[own[0].name]), chosen) == {
        "methods": ["ridge", "stnet"],
        "seed": 1,
    }


def test_papermill_takes_them():
    (words,) = [words for words in commands() if words[0] == ".venv/bin/papermill"]
    notebook = CHECKOUT / words[1]
    given = dict(zip(words[4::3], words[5::3], strict=True))
    assert set(words[3::3]) == {"-p"} and words[2].endswith(".ipynb")
    assert from_text(declared(notebook), given) == {"profile": "demo", "seed": 1}


def test_the_commands_of_which_method_are_taken():
    prepare, study, chapter, book = [
        parser().parse_args(words[1:]) for words in commands("which_method")
    ]
    assert [options.command for options in (prepare, study, chapter, book)] == [
        "prepare",
        "study",
        "chapter",
        "book",
    ]
    assert study.methods and set(study.methods) <= set(names()) and set(study.splits) <= set(RULES)
    chosen = from_text(
        declared(chapters()[chapter.name]), dict(pair.split("=", 1) for pair in chapter.parameters)
    )
    assert set(study.methods) < set(chosen["methods"]) <= set(names())
