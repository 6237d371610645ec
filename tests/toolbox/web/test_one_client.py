"""There is one HTTP client.  Breaks when a program of ours asks a server in another way."""

from __future__ import annotations

import ast
from pathlib import Path

import applets

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


def test_whoever_asks_says_which_proxies_it_asks() -> None:
    """The client obeys the environment whoever uses it, so each applet's help has to say so."""
    askers = {}
    for name, module in applets.MODULES.items():
        path = ROOT / module.replace(".", "/")
        sources = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        used = {used for source in sources for used in imports(source.read_text())}
        if any(one.startswith(("toolbox.web", "toolbox.release.sources")) for one in used):
            own = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            askers[name] = ast.get_docstring(ast.parse(own.read_text())) or ""
    assert askers.keys() >= {"update", "wget"}
    for name, text in askers.items():
        for word in ("http_proxy", "https_proxy", "no_proxy"):
            assert word in text, name


def test_the_check_finds_what_it_should() -> None:
    for bad in (
        "import http.client",
        "from http import client",
        "def f():\n from urllib import request",
    ):
        assert imports(bad) & set(OTHERS), bad
    assert not imports("from urllib.parse import urljoin\nimport h11") & set(OTHERS)
