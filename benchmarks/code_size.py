"""Count code lines of the package, as `ruff format` lays them out.

Blank lines, comments and docstrings do not count.

Prints the total, the median length of a function, the longest functions, and lines and files of
each folder. Run: `python benchmarks/code_size.py [FOLDER]`.
"""

import ast
import io
import statistics
import sys
import tokenize
from pathlib import Path

SKIPPED = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)
LONGEST = 10


def code_lines(text: str) -> set[int]:
    """Return the numbers of the lines that hold code."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    spans = (range(t.start[0], t.end[0] + 1) for t in tokens if t.type not in SKIPPED)
    return {line for span in spans for line in span} - docstring_lines(ast.parse(text))


def docstring_lines(tree: ast.Module) -> set[int]:
    """Return the numbers of the lines of docstrings, those under a field or constant among them."""
    texts = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
    return {line for node in texts for line in range(node.lineno, node.end_lineno + 1)}


def functions(text: str) -> list[tuple[int, str]]:
    """Return code lines, the signature among them, and name of each function."""
    lines = code_lines(text)
    return [
        (len(lines & set(range(node.lineno, node.end_lineno + 1))), node.name)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def main(root: Path) -> None:
    """Print the counts of a folder of Python files."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.py"))}
    sizes = {path: len(code_lines(text)) for path, text in texts.items()}
    each = [(n, f"{path}:{name}") for path, text in texts.items() for n, name in functions(text)]
    print(f"{sum(sizes.values()):,} code lines in {len(sizes)} files")
    print(f"{len(each):,} functions, median {statistics.median(n for n, _ in each):.0f} lines")
    for lines, name in sorted(each, reverse=True)[:LONGEST]:
        print(f"  {lines:3} {name}")
    for folder in sorted({path.parent for path in sizes}):
        inside = [n for path, n in sizes.items() if path.parent == folder]
        print(f"  {sum(inside):6,} lines in {len(inside):2} files  {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "src/compendium"))
