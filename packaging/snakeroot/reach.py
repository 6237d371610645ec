"""Which files of a program reach the C library by ctypes or cffi, among those that its imports lead to.

Run by the box's own Python, whose syntax the program has:  python reach.py FOLDER MODULE...
Prints a JSON list of [file below FOLDER, what it calls].  Only text is read: nothing of the program is run.  What is
imported under another name than it is written (importlib.import_module(x)) is not followed.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Sequence

#: Functions that load a library or look for one.
CALLS = frozenset(("CDLL", "PyDLL", "find_library", "LoadLibrary", "dlopen"))

#: Objects of ctypes whose attributes are libraries or their functions.
OBJECTS = frozenset(("cdll", "pydll", "pythonapi"))


def reach(folder: str, modules: list[str]) -> list[tuple[str, str]]:
    """Walk the imports from `modules`, which lie in `folder`."""
    found: list[tuple[str, str]] = []
    seen: set[str] = set()
    waiting = list(reversed(modules))
    while waiting:
        name = waiting.pop()
        for one in _with_parents(name):
            path = "" if one in seen else _file(folder, one)
            seen.add(one)
            if not path:
                continue
            try:
                with open(path, "rb") as file:
                    tree = ast.parse(file.read())
            except (SyntaxError, ValueError, RecursionError, OSError):
                continue  # it is told when it is compiled, or imported
            package = one if path.endswith("__init__.py") else one.rpartition(".")[0]
            visitor = _Visitor(package)
            visitor.visit(tree)
            if visitor.calls and visitor.ctypes:
                found.append((os.path.relpath(path, folder), visitor.calls[0]))
            waiting += reversed(visitor.imports)
    return found


def _with_parents(name: str) -> list[str]:
    """a.b.c: a, a.b, a.b.c, and what `python -m` runs of a package."""
    words = name.split(".")
    return [".".join(words[: i + 1]) for i in range(len(words))]


def _file(folder: str, name: str) -> str:
    place = os.path.join(folder, *name.split("."))
    for path in (os.path.join(place, "__init__.py"), f"{place}.py"):
        if os.path.isfile(path):
            return path
    return ""


class _Visitor(ast.NodeVisitor):
    """Collects imports and calls of what runs on Linux."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.imports: list[str] = []
        self.calls: list[str] = []
        self.ctypes = False
        self.guarded = False

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._imported(alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            words = self.package.split(".")
            base = ".".join([*words[: len(words) - node.level + 1], *([base] if base else [])])
        self._imported(base)
        # Each name may be a module.
        self.imports += [f"{base}.{alias.name}" for alias in node.names if alias.name != "*"]

    def _imported(self, name: str) -> None:
        if not self.guarded and name.partition(".")[0] in ("ctypes", "cffi"):
            self.ctypes = True
        self.imports.append(name)

    def visit_Try(self, node: ast.Try) -> None:
        """What tries to import ctypes, and goes on without it, does without the C library, too."""
        before = self.guarded
        self.guarded = before or any(_is_import_error(handler.type) for handler in node.handlers)
        self._visit_all(node.body)
        self.guarded = before
        self._visit_all((*node.handlers, *node.orelse, *node.finalbody))

    def visit_If(self, node: ast.If) -> None:
        self._branch(node.test, node.body, node.orelse)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._branch(node.test, [node.body], [node.orelse])

    def _branch(self, test: ast.expr, body: Sequence[ast.AST], other: Sequence[ast.AST]) -> None:
        truth = _truth(test)
        self.visit(test)
        self._visit_all(body if truth is not False else ())
        self._visit_all(other if truth is not True else ())

    def _visit_all(self, nodes: Sequence[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = _last(node.func)
        if name in CALLS:
            self.calls.append(name)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if _last(node.value) in OBJECTS:
            self.calls.append(_last(node.value))
        self.generic_visit(node)


def _is_import_error(node: ast.expr | None) -> bool:
    """Whether a handler is for imports that fail, or for everything."""
    if node is None:
        return True
    kinds = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(_last(kind) in ("ImportError", "ModuleNotFoundError", "Exception") for kind in kinds)


def _last(node: ast.expr) -> str:
    """a.b.c: "c"."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


#: What names the platform, as it is on the box.
PLATFORM = {
    "sys.platform": "linux",
    "os.name": "posix",
    "platform.system": "Linux",
    "TYPE_CHECKING": False,
    "typing.TYPE_CHECKING": False,
}


def _truth(node: ast.expr) -> bool | None:
    """What a condition is on the box; None when that is not known."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _truth(node.operand)
        return None if inner is None else not inner
    if isinstance(node, ast.BoolOp):
        values = [_truth(value) for value in node.values]
        decisive = isinstance(node.op, ast.Or)
        if decisive in values:
            return decisive
        return None if None in values else not decisive
    if isinstance(node, ast.Call) and _last(node.func) == "startswith" and node.args:
        start = node.func.value if isinstance(node.func, ast.Attribute) else node.func
        value, prefix = _value(start), _value(node.args[0])
        if isinstance(value, str) and isinstance(prefix, (str, tuple)):
            return value.startswith(prefix)
        return None
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = _value(node.left), _value(node.comparators[0])
        if left is None or right is None:
            return None
        operator = node.ops[0]
        if isinstance(operator, (ast.Eq, ast.NotEq)):
            return (left == right) == isinstance(operator, ast.Eq)
        if isinstance(operator, (ast.In, ast.NotIn)) and isinstance(right, (tuple, str)):
            return (left in right) == isinstance(operator, ast.In)
        return None
    value = _value(node)
    return value if isinstance(value, bool) else None


def _value(node: ast.expr) -> object:
    """What an expression is on the box; None when that is not known."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        values = tuple(_value(one) for one in node.elts)
        return None if None in values else values
    if isinstance(node, ast.Call) and _last(node.func) in ("system", "lower") and not node.args:
        value = _value(node.func)
        if value is None and isinstance(node.func, ast.Attribute):  # platform.system().lower()
            inner = _value(node.func.value)
            value = inner.lower() if isinstance(inner, str) else None
        return value
    return PLATFORM.get(ast.unparse(node)) if isinstance(node, (ast.Name, ast.Attribute)) else None


if __name__ == "__main__":
    print(json.dumps(reach(sys.argv[1], sys.argv[2:])))
