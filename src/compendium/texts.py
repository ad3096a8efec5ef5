"""Files of texts that people write in YAML: their mistakes are told in one line, none is guessed.

`{name}` and `{name:.3f}` in a text stand for a value that is known when the text is printed.
"""

from pathlib import Path
from string import Formatter
from typing import Any

import yaml

from compendium.errors import BadInput


class _Once:
    """A key that stands twice, and a value that Python cannot hold, are errors with their line."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key in (key for key, _ in node.value):
            if str(key.value) in seen:
                raise _error(f"{key.value} stands twice", key)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:  # a date such as 2023-13-01
            raise _error(str(error), node) from error


class _Values(_Once, yaml.SafeLoader):
    """Builds numbers, dates, true and false too."""


class _Texts(_Once, yaml.BaseLoader):
    """Builds texts, lists and mappings only: 010 stays 010."""


def _error(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)


def read_yaml(path: Path, only_texts: bool = False) -> Any:
    """Read a YAML file.

    Parameters
    ----------
    path
        The file, in UTF-8.
    only_texts
        Whether each value is the text that stands there, also where it looks like a number.

    Raises
    ------
    BadInput
        Where it is no YAML, no UTF-8 or has a key twice; names the line.
    """
    content = path.read_bytes()
    try:
        return yaml.load(content.decode(), Loader=_Texts if only_texts else _Values)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        wrong = f"line {_line(error, content)}: {_problem(error)}"
        raise BadInput(f"{path} is not YAML ({wrong}); correct it") from error


def _line(error: Exception, content: bytes) -> int:
    """Return the line of an error: 1 is the first."""
    if isinstance(error, yaml.MarkedYAMLError):
        return error.problem_mark.line + 1
    if isinstance(error, UnicodeDecodeError):
        return 1 + content[: error.start].count(b"\n")
    return 1 + content.decode()[: error.position].count("\n")  # a sign that YAML does not know


def _problem(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "its bytes are not UTF-8"
    return error.problem if isinstance(error, yaml.MarkedYAMLError) else error.reason


def checked(kind: Any, stated: Any, path: Path, mend: str = "correct it") -> Any:
    """Return what a file states as a type of its own.

    Parameters
    ----------
    kind
        A type, as pydantic checks it.
    stated
        Content of the file.
    path
        The file, as the message names it.
    mend
        End of the message.

    Raises
    ------
    BadInput
        With all mistakes of the file.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(stated)
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(map(str, each['loc']))} {_decapitalised(each['msg'])}".strip()
            for each in error.errors()
        )
        raise BadInput(f"{path}: {mistakes}; {mend}") from error


def _decapitalised(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def exactly(kinds: dict[str, Any]) -> Any:
    """Return the type of a mapping that has these keys and no others, each with its type."""
    from typing_extensions import TypedDict  # pydantic takes that of `typing` from Python 3.12 on

    mapping = TypedDict("mapping", kinds)
    mapping.__pydantic_config__ = {"extra": "forbid"}
    return mapping


def template(text: str) -> str:
    """Return a text in which only names are filled in, such as `{name}` and `{name:.3f}`.

    Raises
    ------
    ValueError
        Where something else is, as in `{name.part}`, `{name!r}`, `{0}` or a lone bracket.
    """
    for _, name, form, conversion in Formatter().parse(text):
        if name is not None and (not name.isidentifier() or conversion or "{" in form):
            raise ValueError(f"{{{name}}}: no name with a format")
    return text
