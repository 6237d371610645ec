"""freeze.py: trees of Python code -> tables of modules.

It breaks when the same sources give other bytes, when our docstrings (which are grammar) are lost, when
asserts stay, or when an addition is not at the end of the module it adds to.
"""

from __future__ import annotations

import marshal
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FREEZE = Path(__file__).resolve().parents[3] / "packaging/interpreter/freeze.py"

TREE = {
    "standard/importlib/__init__.py": "",
    "standard/importlib/_bootstrap.py": "",
    "additions/_late_importlib.py": "",
    "standard/zipimport.py": "",
    "standard/tests_of_ours.py": "value = 1",
    "standard/test/__init__.py": "",
    "standard/idlelib/__init__.py": "",
    "standard/package/__init__.py": "def find(): return 'found'",
    "standard/package/tests/__init__.py": "",
    "library/thing/__init__.py": "'''Gone.'''\nassert False\ndef f():\n    '''Gone too.'''\ndoc = f.__doc__",
    "library/thing/__main__.py": "",
    "library/thing/annotated.py": "class K:\n    n: no_such_name = 1\n"
    "    async def f(self, *a: 1, b: 2 = 3, **c: 4) -> 5: return b",
    "library/prompt_toolkit/__init__.py": "",
    "library/prompt_toolkit/contrib/__init__.py": "",
    "library/prompt_toolkit/contrib/ssh.py": "",
    "standard/annotated.py": "def f(x: 1): pass",
    "library/thing-1.0.dist-info/METADATA": "Name: thing\nVersion: 1.0\n\nA page.\n",
    "additions/package.py": "def find(): return None",
    "additions/new.py": "value = 2",
    "own/__init__.py": "",
    "own/applet.py": "'''Kept.'''\nfrom __future__ import annotations\nassert False\n"
    "text = __doc__\ndef f(x: no_such_name):\n    'Goes.'\ndef g():\n    'Goes.'\n    raise OSError",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in TREE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def freeze(tree: Path, output: str) -> dict[str, Any]:
    """Freeze the tree; every module's code and whether it is a package."""
    words = ["--standard", "standard", "--library", "library", "--additions", "additions"]
    subprocess.run([sys.executable, FREEZE, output, *words, "--own", "own"], cwd=tree, check=True)
    blob = (tree / output / "modules.bin").read_bytes()
    rows = re.findall(
        r'{"(\S+)", code \+ (\d+), (\d+), (\d)},', (tree / output / "modules.h").read_text()
    )
    return {
        name: (marshal.loads(blob[int(at) : int(at) + int(size)]), package == "1")
        for name, at, size, package in rows
    }


def run(modules: dict[str, Any], name: str) -> dict[str, Any]:
    space: dict[str, Any] = {}
    exec(modules[name][0], space)
    return space


def test_modules(tree: Path) -> None:
    modules = freeze(tree, "out")
    assert {"thing", "thing.__main__", "own", "own.applet", "package", "new"} <= modules.keys()
    assert not {"test", "idlelib", "package.tests"} & modules.keys()
    assert not [name for name in modules if name.startswith("prompt_toolkit.contrib")]
    packages = {name for name, (_, package) in modules.items() if package}
    assert packages == {"importlib", "own", "package", "prompt_toolkit", "thing"}
    assert modules["own.applet"][0].co_filename == "<frozen own.applet>"
    bootstrap = (tree / "out/bootstrap.h").read_text()
    assert '"_frozen_importlib"' in bootstrap and '"zipimport"' in bootstrap


def test_docstrings_and_asserts(tree: Path) -> None:
    modules = freeze(tree, "out")
    own = run(modules, "own.applet")
    assert own["text"] == "Kept."
    assert own["f"].__doc__ is own["g"].__doc__ is None
    assert own["f"](1) is None
    with pytest.raises(OSError) as raised:
        own["g"]()
    assert raised.traceback[-1].lineno == 8  # counted from 0: lines are where they were
    assert "__future__" not in modules["own.applet"][0].co_names  # in force, not imported
    assert run(modules, "thing")["doc"] is None


def test_annotations_of_functions(tree: Path) -> None:
    """They go, outside the standard library; those of classes are there for who makes fields of them."""
    modules = freeze(tree, "out")
    assert run(modules, "annotated")["f"].__annotations__ == {"x": 1}
    assert run(modules, "own.applet")["f"].__annotations__ == {}
    with pytest.raises(NameError):
        run(modules, "thing.annotated")
    text = TREE["library/thing/annotated.py"].replace("no_such_name", "7")
    (tree / "library/thing/annotated.py").write_text(text)
    made = run(freeze(tree, "out"), "thing.annotated")["K"]
    assert made.__annotations__ == {"n": 7}
    assert made.f.__annotations__ == {}
    assert made.f.__kwdefaults__ == {"b": 3}


def test_additions(tree: Path) -> None:
    modules = freeze(tree, "out")
    assert run(modules, "package")["find"]() is None
    assert run(modules, "new")["value"] == 2


def test_metadata(tree: Path) -> None:
    assert run(freeze(tree, "out"), "_distributions")["METADATA"] == ["Name: thing\nVersion: 1.0\n"]


def test_same_sources_same_bytes(tree: Path) -> None:
    freeze(tree, "a")
    freeze(tree, "b")
    for name in ("modules.bin", "modules.h", "bootstrap.h", "modules.S"):
        assert (tree / "a" / name).read_bytes() == (tree / "b" / name).read_bytes()


def test_syntax_error_is_an_error(tree: Path) -> None:
    (tree / "own/broken.py").write_text("def")
    with pytest.raises(subprocess.CalledProcessError):
        freeze(tree, "out")
