"""Python code -> the tables of frozen modules.  Runs in the interpreter that will run the code.

    python -I -S -X no_debug_ranges freeze.py OUTPUT --standard DIR --library DIR... --additions DIR --own DIR...

Writes to OUTPUT: `modules.bin`, the marshalled code of all modules; `modules.S`, which puts it into the
program's read-only data; `modules.h` and `bootstrap.h`, the rows of CPython's tables of frozen modules.
Same sources, same bytes.  What lies in the folder of additions (`ctypes.util.py`) is compiled at the end of the
module of that name, so that it can define anew what must be otherwise here, or is a module of its own.

Libraries lose asserts and docstrings (-OO); our own code keeps its docstrings, which are its grammar and help.
"""

import __future__

import argparse
import ast
import marshal
import os
import sys

#: Of the standard library: its tests, what needs Tk, and what installs into a file system; of the libraries, the part of
#: cffi that compiles.
LEFT_OUT = frozenset(
    [
        "__phello__",
        "cffi",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "site-packages",
        "test",
        "tkinter",
        "turtle",
        "turtledemo",
        "venv",
    ]
)

#: Folders inside packages that only their makers need.
TESTS = frozenset(["test", "tests", "testing", "__pycache__"])

#: How certain terminal programs show certain emoji: 1.7 MB, without which wcwidth measures as for any other terminal.
TERMINALS = "wcwidth.table_grapheme_overrides._known_"

#: What every start needs comes first, then our own packages: the interpreter looks a module up by going through
#: the table, and a page of the file that is read brings its neighbours.
FIRST = [
    "importlib._bootstrap",
    "_late_importlib",
    "codecs",
    "encodings",
    "encodings.aliases",
    "encodings.utf_8",
    "abc",
    "io",
    "toolbox",
    "toolbox.multicall",
    "applets",
    "stat",
    "_collections_abc",
    "genericpath",
    "posixpath",
    "os",
    "toolbox.errors",
    "toolbox.options",
    "toolbox.streams",
]

#: What the interpreter itself asks for under names of its own.
BOOTSTRAP = {
    "_frozen_importlib": "importlib._bootstrap",
    "_frozen_importlib_external": "_late_importlib",
    "zipimport": "zipimport",
}


def modules(folder, prefix=""):
    """Yield (dotted name, source file, whether it is a package) of all modules below a folder."""
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        # The name of sysconfig's data ends in that of the machine, with dashes.
        if (
            name.endswith(".py")
            and name != "__init__.py"
            and name[:-3].replace("-", "_").isidentifier()
        ):
            if name != "__main__.py" or prefix:
                yield prefix + name[:-3], path, False
        elif os.path.isdir(path) and name.isidentifier() and name not in TESTS:
            start = os.path.join(path, "__init__.py")
            if os.path.exists(start):
                yield prefix + name, start, True
                yield from modules(path, f"{prefix}{name}.")


def collect(arguments):
    """All modules: dotted name -> (source, package or not, optimisation level)."""
    found = {}
    for name, path, package in modules(arguments.standard):
        if name.partition(".")[0] not in LEFT_OUT:
            found[name] = (read(path), package, 2)
    for folder in arguments.library:
        found.update(
            (name, (read(path), package, 2))
            for name, path, package in modules(folder)
            if name.partition(".")[0] not in LEFT_OUT and not name.startswith(TERMINALS)
        )
    for file in sorted(os.listdir(arguments.additions)):
        name = file.removesuffix(".py")
        source, package, level = found.get(name, (b"", False, 2))
        added = read(os.path.join(arguments.additions, file))
        found[name] = (source + b"\n" + added, package, level)
    for folder in arguments.own:
        package = os.path.basename(folder)
        found[package] = (read(os.path.join(folder, "__init__.py")), True, 1)
        found.update({n: (read(path), k, 1) for n, path, k in modules(folder, f"{package}.")})
    found["_distributions"] = (distributions(arguments.library).encode(), False, 2)
    return found


def read(path):
    with open(path, "rb") as file:
        return file.read()


def distributions(folders):
    """The source of a module with the metadata of the distributions in `folders`, for importlib.metadata."""
    found = []
    for folder in folders:
        for name in sorted(os.listdir(folder)):
            metadata = os.path.join(folder, name, "METADATA")
            if name.endswith(".dist-info") and os.path.exists(metadata):
                # The header alone: the description is the maker's web page.
                found.append(read(metadata).decode().partition("\n\n")[0] + "\n")
    return f"METADATA = {found!r}\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("output")
    parser.add_argument("--standard", required=True)
    parser.add_argument("--library", action="append", default=[])
    parser.add_argument("--additions", required=True)
    parser.add_argument("--own", action="append", default=[])
    arguments = parser.parse_args()
    blob = bytearray()
    rows = {}
    own = {os.path.basename(folder) for folder in arguments.own}
    rank = {name: i for i, name in enumerate(FIRST)}

    def order(item):
        name = item[0]
        return rank.get(name, len(rank)), name.partition(".")[0] not in own, name

    for name, (source, package, level) in sorted(collect(arguments).items(), key=order):
        rows[name] = (place(blob, compiled(name, source, level)), package)
    write(arguments.output, blob, rows)
    print(f"{len(rows)} modules, {len(blob)} bytes", file=sys.stderr)


def compiled(name, source, level):
    """The code of a module, with what it has from __future__ in force, but not imported at every start."""
    tree = ast.parse(source)
    flags = 0
    for node in [n for n in tree.body if isinstance(n, ast.ImportFrom)]:
        if node.module == "__future__":
            tree.body.remove(node)
            for feature in node.names:
                flags |= getattr(__future__, feature.name).compiler_flag
    return compile(tree, f"<frozen {name}>", "exec", flags, dont_inherit=True, optimize=level)


def place(blob, code):
    """Append a code object to the blob, aligned; where it lies: (offset, length)."""
    blob += bytes(-len(blob) % 16)
    data = marshal.dumps(code)
    start = len(blob)
    blob += data
    return start, len(data)


def write(folder, blob, rows):
    os.makedirs(folder, exist_ok=True)

    def row(name, of):
        (start, length), package = rows[of]
        return f'{{"{name}", code + {start}, {length}, {int(package)}}},\n'

    files = {
        "modules.bin": bytes(blob),
        "modules.h": "".join(row(name, name) for name in rows),
        "bootstrap.h": "".join(row(name, of) for name, of in BOOTSTRAP.items()),
        "modules.S": '.section .rodata.frozen_code,"a",@progbits\n.balign 64\n.globl frozen_code\n'
        'frozen_code:\n.incbin "modules.bin"\n.section .note.GNU-stack,"",@progbits\n',
    }
    for name, data in files.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())


if __name__ == "__main__":
    main()
