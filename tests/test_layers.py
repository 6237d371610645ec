"""Which module may import which: layers inside a package, and no circles.

All imports count, read from the source: those at the top, inside functions, and under TYPE_CHECKING.  A module's
name alone stands for it: that `import a.b` also runs a/__init__.py is no import of `a`.

Breaks when a module imports from a layer above its own, or when modules come to import each other.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: Folder -> what its modules' names start with.
TOPS = {"toolbox": "toolbox", "applets": "applets", "packaging": ""}

#: Package -> layer -> the layers that it may import besides itself.  A layer is a sub-package or a module of the
#: package ("__init__" for the package's own); a name with several words is a layer of several modules.
LAYERS: dict[str, dict[str, str]] = {
    "applets.sh": {
        "errors": "",
        "numbers": "",
        "descriptors": "",
        "pattern": "",
        "syntax": "errors numbers",
        "shell": "errors numbers descriptors pattern syntax",
        "expand": "errors numbers pattern syntax shell",
        "run": "errors numbers descriptors pattern syntax shell expand",
        "builtins": "errors numbers syntax shell expand run",
        "prompt": "shell expand",
        "editing": "errors shell",
        "interactive": "errors syntax shell run prompt editing",
        "start": "errors syntax shell expand run builtins interactive",
        "__init__": "start",
    },
}

#: Circles that still exist: of modules, and of packages side by side whose modules make no circle.
#: The list only gets shorter: a circle that is gone, or has become smaller, must leave it.
CIRCLES = frozenset(
    frozenset(names.split())
    for names in (
        "applets.breakglass.scp applets.breakglass.server applets.breakglass.session",
        "applets.coreutils.tail applets.coreutils.tail.follow",
        "applets.findutils.find applets.findutils.find.actions"
        " applets.findutils.find.expression applets.findutils.find.tests",
        "applets.init.control applets.init.supervisor applets.init.verbs",
        "applets.system.python applets.system.python.prompt applets.system.python.settings",
        "snakeroot.binaries snakeroot.check snakeroot.config snakeroot.programs"
        " snakeroot.release snakeroot.runtime snakeroot.services",
        "toolbox.listing toolbox.multicall",
        "toolbox.release toolbox.storage",
    )
)


def modules() -> dict[str, Path]:
    """Dotted name -> file of every module of ours; templates are users' programs."""
    found = {}
    for folder, package in TOPS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            if "templates" not in parts:
                name = ".".join([package, *parts] if package else parts)
                found[name.removesuffix(".__init__")] = path
    return found


def imports(name: str, source: str, package: bool, known: Iterable[str]) -> set[str]:
    """The modules among `known` that a module's source imports, wherever in it the statement stands.

    package: the source is the package's __init__.py, from which relative imports are counted.
    """
    ours = set(known)
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {_nearest(alias.name, ours) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = node.level - 1 if package else node.level
                parts = name.split(".")
                base = ".".join([*parts[: len(parts) - up], *([base] if base else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                found.add(full if full in ours else _nearest(base, ours))
    return found - {"", name}


def _nearest(name: str, known: set[str]) -> str:
    return name if name in known else ""


def graph() -> dict[str, set[str]]:
    """Module -> the modules of ours that it imports."""
    found = modules()
    return {
        name: imports(name, path.read_text(), path.name == "__init__.py", found)
        for name, path in found.items()
    }


def circles(edges: Mapping[str, set[str]]) -> set[frozenset[str]]:
    """The sets of modules that reach each other by imports (strongly connected components of two and more)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = set()

    def visit(name: str) -> None:
        number[name] = low[name] = len(number)
        stack.append(name)
        for other in sorted(edges[name]):
            if other not in number:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], number[other])
        if low[name] == number[name]:
            at = stack.index(name)
            component = stack[at:]
            del stack[at:]
            if len(component) > 1:
                found.add(frozenset(component))

    for name in edges:
        if name not in number:
            visit(name)
    return found


def of_packages(edges: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The same graph with each package that lies in a top one (toolbox.storage) as one."""

    def whole(name: str) -> str:
        return ".".join(name.split(".")[:2])

    found: dict[str, set[str]] = {whole(name): set() for name in edges}
    for name, others in edges.items():
        found[whole(name)] |= {whole(other) for other in others} - {whole(name)}
    return found


def all_circles(edges: Mapping[str, set[str]]) -> set[frozenset[str]]:
    """The circles of modules, and of packages as far as they are not these."""
    return circles(edges) | circles(of_packages(edges))


def layer(package: str, module: str) -> str:
    """The layer of a package that a module of it is in."""
    return "__init__" if module == package else module[len(package) + 1 :].partition(".")[0]


def against_layers(
    package: str, allowed: Mapping[str, str], edges: Mapping[str, set[str]]
) -> list[str]:
    """One line for each import from a layer that the table does not allow."""
    wrong = []
    inside = [name for name in edges if name == package or name.startswith(package + ".")]
    for name in inside:
        own = layer(package, name)
        may = {own, *allowed.get(own, "").split()}
        wrong += [
            f"{name} ({own}) imports {other} ({layer(package, other)})"
            for other in sorted(edges[name])
            if other in inside and layer(package, other) not in may
        ]
    return wrong


@pytest.fixture(scope="module")
def edges() -> dict[str, set[str]]:
    return graph()


@pytest.mark.parametrize("package", LAYERS)
def test_a_module_imports_only_from_layers_below(package: str, edges: dict[str, set[str]]) -> None:
    assert against_layers(package, LAYERS[package], edges) == []


@pytest.mark.parametrize("package", LAYERS)
def test_the_table_of_layers_is_complete_and_has_no_circle(
    package: str, edges: dict[str, set[str]]
) -> None:
    table = LAYERS[package]
    there = {layer(package, n) for n in edges if n == package or n.startswith(package + ".")}
    assert set(table) == there
    assert circles({name: set(below.split()) for name, below in table.items()}) == set()


@pytest.mark.parametrize("package", LAYERS)
def test_no_circle_in_a_layered_package(package: str, edges: dict[str, set[str]]) -> None:
    prefix = package + "."
    found = [sorted(c) for c in circles(edges) if any(f"{n}.".startswith(prefix) for n in c)]
    assert found == []


def test_the_circles_that_still_exist_are_those_listed(edges: dict[str, set[str]]) -> None:
    found = all_circles(edges)
    for circle in sorted(map(sorted, found)):
        print("circle:", " <-> ".join(circle))
    new = sorted(map(sorted, found - CIRCLES))
    assert new == [], "modules have come to import each other"
    gone = sorted(map(sorted, CIRCLES - found))
    assert gone == [], "these circles are gone or have changed: take them out of CIRCLES"


def test_syntax_alone_loads_no_shell() -> None:
    """A formatter, or a check of syntax, needs neither the state of a shell nor an evaluator."""
    program = (
        "import sys, applets.sh.syntax.parser\n"
        "print(*sorted({n.split('.')[2] for n in sys.modules if n.startswith('applets.sh.')}))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["errors", "numbers", "syntax"]


# The checks themselves can fail.


def test_every_kind_of_import_is_seen() -> None:
    source = """
import a.one
from a import two
from a.three import name
from . import four
from .five import name
if TYPE_CHECKING:
    from a.six import name
def function():
    import a.seven as other
"""
    known = [
        "a",
        *(
            f"a.{n}"
            for n in ["one", "two", "three", "four", "five", "six", "seven", "eight", "here"]
        ),
    ]
    seen = imports("a.here", source, False, known)
    assert seen == {f"a.{n}" for n in ["one", "two", "three", "four", "five", "six", "seven"]}
    assert imports("a", "from . import one\nfrom .two import x", True, known) == {"a.one", "a.two"}
    assert imports("a.here", "import json\nfrom os import path", False, known) == set()


def test_a_circle_is_found() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"f"}, "f": {"e"}}
    assert circles(edges) == {frozenset("abc"), frozenset("ef")}
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == set()


def test_a_circle_of_packages_is_found() -> None:
    edges = {"t.a.x": {"t.b.y"}, "t.b.z": {"t.a.w"}, "t.b.y": set(), "t.a.w": set()}
    assert all_circles(edges) == {frozenset(["t.a", "t.b"])}


def test_an_import_from_a_layer_above_is_found() -> None:
    edges = {"p.low.x": {"p.high"}, "p.high": {"p.low.x"}, "p": {"p.high"}}
    found = against_layers("p", {"low": "", "high": "low", "__init__": "high"}, edges)
    assert found == ["p.low.x (low) imports p.high (high)"]
