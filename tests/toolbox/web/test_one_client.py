"""There is one HTTP client.  Breaks when a program of ours asks a server in another way."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

OTHERS = ("http.client", "urllib.request", "requests", "httpx", "aiohttp")


def imports(source: str) -> set[str]:
    """The modules that are imported anywhere in the source, `a.b` for `from a import b` as well."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_nobody_asks_by_another_client() -> None:
    found = []
    for top in ("applets", "toolbox", "packaging/snakeroot"):
        for path in sorted((ROOT / top).rglob("*.py")):
            if imports(path.read_text()) & set(OTHERS):
                found.append(str(path.relative_to(ROOT)))
    assert found == [], "toolbox.web is the client"


def test_the_check_finds_what_it_should() -> None:
    for bad in (
        "import http.client",
        "from http import client",
        "def f():\n from urllib import request",
    ):
        assert imports(bad) & set(OTHERS), bad
    assert not imports("from urllib.parse import urljoin\nimport h11") & set(OTHERS)
