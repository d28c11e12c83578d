"""The sizes that keep a file readable at one sitting: what ruff has no rule for."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for part in ("streamae", "tests") for path in (ROOT / part).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sizes(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = node.body[0] if ast.get_docstring(node) else None
            assert n_lines(node) - (n_lines(docstring) if docstring else 0) <= 40, node.name


def test_sizes_of_the_page() -> None:
    parts = [path for path in (ROOT / "streamae/http/page").glob("*.*") if path.suffix != ".svg"]
    assert {path.suffix for path in parts} == {".css", ".html", ".js"}
    for path in parts:
        lines = path.read_text().splitlines()
        assert len(lines) <= 300, path.name
        assert max(map(len, lines)) <= 120, path.name


def n_lines(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1
