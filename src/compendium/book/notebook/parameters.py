"""The parameters of a chapter: declared in one notebook cell, checked before anything runs.

The cell is tagged `parameters` and holds lines `name: type = default  # help`. Types: str, int,
float, bool, list[str], list[int], list[float], Literal[...], and any of them `| None`. A default of
None, "" or [] is open: the profile may fill it.
"""

import ast
import copy
import difflib
import io
import json
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from compendium.errors import BadInput

PLAIN = {"str": str, "int": int, "float": float, "bool": bool}
OPEN = (None, "", [])
SHELL = {"In", "Out", "exit", "quit", "get_ipython", "open"}
ASKED = "_compendium_parameters"
LINE = "name: type = default  # help"


@dataclass(frozen=True)
class Parameter:
    """One line of the parameters cell: its name, its type as written, its default and its help."""

    name: str
    type: str
    default: Any
    help: str

    @property
    def is_open(self) -> bool:
        """Whether the default leaves the choice to the profile."""
        return self.default in OPEN

    def is_given(self, value: Any) -> bool:
        """Whether a reader's value is a choice: an open default and None are none."""
        return not (self.is_open and (value is None or value == self.default))

    def check(self, value: Any) -> Any:
        """The value if it is of the declared type; 1 passes for 1.0, nothing else is converted."""
        from pydantic import TypeAdapter, ValidationError

        kind = TypeAdapter(_type(ast.parse(self.type, mode="eval").body))
        try:
            return kind.validate_python(value, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            where = "".join(f"[{part}]" for part in first["loc"] if isinstance(part, int))
            wrong = f"parameter {self.name} must be {self.type}, not {value!r}"
            raise BadInput(f"{wrong}: {self.name}{where}: {first['msg'].lower()}") from None


def declared(notebook: Path) -> list[Parameter]:
    """The parameters that a chapter's notebook declares, in their order."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        wrong = f"{notebook} is no notebook that can be read ({error.__class__.__name__})"
        raise BadInput(f"{wrong}: restore the file") from error
    tagged = [cell for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1:
        wrong = f"{notebook.name} has {len(tagged)} cells tagged parameters, expected one"
        raise BadInput(f"{wrong}: tag the cell that holds {LINE}")
    found = parse("".join(tagged[0]["source"]), notebook.name)
    if not any(parameter.name == "profile" for parameter in found):
        cure = 'add profile: str = "demo"  # what to run with, to its parameters cell'
        raise BadInput(f"{notebook.name} declares no profile: {cure}")
    return found


def parse(source: str, where: str) -> list[Parameter]:
    """The parameters in the text of a parameters cell; `where` names it in errors."""
    try:
        lines = ast.parse(source).body
    except SyntaxError as error:
        wrong = f"the parameters cell is not Python (line {error.lineno}: {error.msg})"
        raise BadInput(f"{where}: {wrong}") from error
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = (token for token in tokens if token.type == tokenize.COMMENT)
    notes = {token.start[0]: token.string.lstrip("# ") for token in comments}
    found = []
    for line in lines:
        match line:
            case ast.ImportFrom(module="typing"):
                continue
            case ast.AnnAssign(target=ast.Name(), value=ast.expr()):
                found.append(_parameter(line, notes.get(line.end_lineno, ""), where))
            case _:
                wrong = f"line {line.lineno} of the parameters cell is not {LINE}"
                raise BadInput(f"{where}: {wrong}")
    return found


def _parameter(line: ast.AnnAssign, note: str, where: str) -> Parameter:
    name, kind = line.target.id, ast.unparse(line.annotation)
    try:
        _type(line.annotation)
        parameter = Parameter(name, kind.replace("'", '"'), ast.literal_eval(line.value), note)
    except ValueError as error:
        wrong = f"has a type or a default that cannot be used: {kind} = {ast.unparse(line.value)}"
        raise BadInput(f"{where}: parameter {name} {wrong}") from error
    if not parameter.is_open:
        parameter.check(parameter.default)
    return parameter


def _type(node: ast.expr) -> Any:
    """The type that an annotation names; ValueError for all that a command line could not give."""
    match node:
        case ast.Name(id=name) if name in PLAIN:
            return PLAIN[name]
        case ast.Subscript(value=ast.Name(id="list"), slice=ast.Name(id=name)) if name in PLAIN:
            return list[PLAIN[name]]
        case ast.Subscript(value=ast.Name(id="Literal"), slice=options):
            return Literal[ast.literal_eval(options)]
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return _type(left) | None
    raise ValueError(ast.unparse(node))


def check(known: list[Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """Every known parameter with its given value, or its default.

    Raises
    ------
    BadInput
        A name is unknown, or a value is of another type.
    """
    names = [parameter.name for parameter in known]
    for name in values:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise BadInput(f"unknown parameter {name}{meant} (known: {', '.join(names)})")
    given = {p.name for p in known if p.name in values and p.is_given(values[p.name])}
    return {
        p.name: p.check(values[p.name]) if p.name in given else copy.copy(p.default) for p in known
    }


def from_text(known: list[Parameter], texts: Mapping[str, str]) -> dict[str, Any]:
    """Values of a command line: YAML, or the bare text where only that has the declared type."""
    import yaml

    by_name = {parameter.name: parameter for parameter in known}
    values: dict[str, Any] = {}
    for name, text in texts.items():
        try:
            values[name] = yaml.safe_load(text)
            if name in by_name and not isinstance(values[name], str):
                by_name[name].check(values[name])
        except yaml.YAMLError:
            values[name] = text
        except BadInput:
            if by_name[name].type.startswith(("str", "Literal")):
                values[name] = text
    check(known, values)
    return values


def given(namespace: dict[str, Any]) -> dict[str, Any]:
    """The parameters that a notebook holds after its parameters cell and papermill's.

    Any other public value counts as one, and is then unknown. A second call in the same notebook (a
    cell run again by hand) sees the same names as the first.
    """
    if ASKED not in namespace:
        annotated = [name for name in namespace.get("__annotations__", {}) if name in namespace]
        others = [name for name, value in namespace.items() if _is_parameter(name, value)]
        namespace[ASKED] = tuple(dict.fromkeys(annotated + others))
    return {name: namespace[name] for name in namespace[ASKED]}


def _is_parameter(name: str, value: Any) -> bool:
    hidden = name.startswith("_") or name in SHELL
    return not (hidden or isinstance(value, ModuleType) or callable(value))
