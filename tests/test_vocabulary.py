"""Identifiers, file names and options speak the field's standard terms."""

import ast
import re
from pathlib import Path

import pytest

from compendium.__main__ import parser

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "compendium"
# Terms that this project once made up, each with what stands instead.
PRIVATE = {
    "arms": "training sets",
    "bank": "precomputed augmented features",
    "banked": "precomputed augmented features",
    "conduct": "run_study",
    "dial": "matched training sets",
    "dialled": "matched training sets",
    "engine": "executor",
    "engines": "executors",
    "floor": "minimum training criterion",
    "glass": "background",
    "ladder": "design",
    "material": "inputs",
    "parcel": "PackedSections",
    "patches": "tiles",
    "recompute": "checkpoint activations",
    "remember": "fit_closed_form",
    "said": "summary",
    "sealed": "checksummed",
    "smoke": "preliminary",
    "stale": "outdated",
    "strangers": "matched between patients",
    "told": "summary",
    "tell": "report",
    "twin": "permuted-image control",
    "twins": "permuted-image controls",
    "words": "parameters",
}
BUDGET = "smoke"  # the shortest training budget keeps the name that software tests use
REFERENCE_BANK = "bleep"  # BLEEP calls the training spots that it retrieves from its bank


def parts(name: str) -> list[str]:
    """Split an identifier at underscores and capitals."""
    return [part.lower() for part in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]


def defined(tree: ast.Module) -> set[str]:
    """Names that a module gives: functions, classes, parameters, variables, fields."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.keyword) and node.arg:
            names.add(node.arg)
    return names


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_no_private_term_in_identifiers(path):
    names = defined(ast.parse(path.read_text(encoding="utf-8"))) | {path.stem}
    found = {name: PRIVATE[p] for name in names for p in parts(name) if p in PRIVATE}
    allowed = {name for name in found if BUDGET in parts(name)}
    if path.stem == REFERENCE_BANK:
        allowed |= {name for name in found if "bank" in parts(name)}
    assert {name: term for name, term in found.items() if name not in allowed} == {}


def test_no_private_term_in_commands_and_options():
    commands = parser()._subparsers._group_actions[0].choices
    words = set(commands)
    for sub in commands.values():
        words |= {
            part
            for action in sub._actions
            for name in action.option_strings
            for part in parts(name.replace("-", "_"))
        }
    assert words & {*PRIVATE, "keep"} == set()  # tables are published
