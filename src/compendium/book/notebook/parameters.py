"""The parameters of a chapter: declared in one notebook cell, checked by name and type before anything runs.

The cell is tagged `parameters` and holds lines `name: type = default  # help`. Types: str, int, float, bool, list[str], list[int],
list[float], Literal[...], and any of them `| None`. A default of None, "" or [] is open: the profile may fill it.
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
        """Whether a reader's value is a choice: None and the default itself are not where the default is open."""
        return not (self.is_open and (value is None or value == self.default))

    def check(self, value: Any) -> Any:
        """The value if it is of the declared type; 1 passes for 1.0, nothing else is converted."""
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(_type(ast.parse(self.type, mode="eval").body)).validate_python(
                value, strict=True
            )
        except ValidationError as error:
            first = error.errors()[0]
            where = "".join(f"[{part}]" for part in first["loc"] if isinstance(part, int))
            raise BadInput(
                f"parameter {self.name} must be {self.type}, not {value!r}: {self.name}{where}: {first['msg'].lower()}"
            ) from None


def declared(notebook: Path) -> list[Parameter]:
    """The parameters that a chapter's notebook declares, in their order."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{notebook} is no notebook that can be read ({error.__class__.__name__}): restore the file"
        ) from error
    tagged = [cell for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1:
        raise BadInput(
            f"{notebook.name} has {len(tagged)} cells tagged parameters, expected one: tag the cell that holds name: type = default  # help"
        )
    found = parse("".join(tagged[0]["source"]), notebook.name)
    if not any(parameter.name == "profile" for parameter in found):
        raise BadInput(
            f'{notebook.name} declares no profile: add profile: str = "demo"  # what to run with, to its parameters cell'
        )
    return found


def parse(source: str, where: str) -> list[Parameter]:
    """The parameters in the text of a parameters cell; `where` names it in errors."""
    try:
        lines = ast.parse(source).body
    except SyntaxError as error:
        raise BadInput(
            f"{where}: the parameters cell is not Python (line {error.lineno}: {error.msg})"
        ) from error
    notes = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found = []
    for line in lines:
        match line:
            case ast.ImportFrom(module="typing"):
                continue
            case ast.AnnAssign(
                target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value
            ):
                found.append(
                    _parameter(name, annotation, value, notes.get(line.end_lineno, ""), where)
                )
            case _:
                raise BadInput(
                    f"{where}: line {line.lineno} of the parameters cell is not name: type = default  # help"
                )
    return found


def _parameter(
    name: str, annotation: ast.expr, value: ast.expr, note: str, where: str
) -> Parameter:
    try:
        _type(annotation)
        parameter = Parameter(
            name, ast.unparse(annotation).replace("'", '"'), ast.literal_eval(value), note
        )
    except ValueError as error:
        raise BadInput(
            f"{where}: parameter {name} has a type or a default that cannot be used: {ast.unparse(annotation)} = {ast.unparse(value)}"
        ) from error
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
    """Every known parameter with its given value, or its default; an unknown name or a value of another type is an error."""
    names = [parameter.name for parameter in known]
    for name in values:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise BadInput(
                f"unknown parameter {name}{f'; did you mean {near[0]}?' if near else ''} (known: {', '.join(names)})"
            )
    return {
        p.name: p.check(values[p.name])
        if p.name in values and p.is_given(values[p.name])
        else copy.copy(p.default)
        for p in known
    }


def from_text(known: list[Parameter], texts: Mapping[str, str]) -> dict[str, Any]:
    """Values given on a command line: each text is YAML, or the bare text where only that has the declared type."""
    import yaml

    by_name = {parameter.name: parameter for parameter in known}
    values: dict[str, Any] = {}
    for name, text in texts.items():
        try:
            values[name] = yaml.safe_load(text)
        except yaml.YAMLError:
            values[name] = text
        if name in by_name and not isinstance(values[name], str):
            try:
                by_name[name].check(values[name])
            except BadInput:
                values[name] = (
                    text if by_name[name].type.startswith(("str", "Literal")) else values[name]
                )
    check(known, values)
    return values


def given(namespace: dict[str, Any]) -> dict[str, Any]:
    """The parameters that a notebook holds after its parameters cell and papermill's; any other public value counts as one and is then unknown.

    A second call in the same notebook (a cell run again by hand) sees the same names as the first.
    """
    if ASKED not in namespace:
        names = [name for name in namespace.get("__annotations__", {}) if name in namespace]
        names += [
            name
            for name, value in namespace.items()
            if name not in names and _is_parameter(name, value)
        ]
        namespace[ASKED] = tuple(names)
    return {name: namespace[name] for name in namespace[ASKED]}


def _is_parameter(name: str, value: Any) -> bool:
    return not (
        name.startswith("_") or name in SHELL or isinstance(value, ModuleType) or callable(value)
    )
