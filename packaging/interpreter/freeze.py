"""Python code -> the tables of frozen modules.  Runs in the interpreter that will run the code.

    python -I -S -X no_debug_ranges freeze.py OUTPUT --standard DIR --library DIR... --additions DIR --own DIR...

Writes to OUTPUT: `modules.bin`, the marshalled code of all modules; `modules.S`, which puts it into the
program's read-only data; `modules.h` and `bootstrap.h`, the rows of CPython's tables of frozen modules.
Same sources, same bytes.  What lies in the folder of additions (`ctypes.util.py`) is compiled at the end of the
module of that name, so that it can define anew what must be otherwise here, or is a module of its own.

Libraries lose asserts and docstrings (-OO), and so do our own functions; our modules keep theirs, which are grammar and
help.  Functions outside the standard library lose their annotations, too: those are for the checker of types.
"""

import __future__

import argparse
import ast
import marshal
import os
import sys

#: Of the standard library: its tests, what needs Tk, what installs into a file system, what is for other systems, what
#: there is in C, too, and help()'s chapters about the language.  Of the libraries: the part of cffi that compiles, what
#: is for Windows, and what prompt_toolkit has beside prompts.
LEFT_OUT = frozenset(
    """
    __phello__ ensurepip idlelib lib2to3 site-packages test tkinter turtle turtledemo venv
    _aix_support _android_support _apple_support _ios_support _osx_support ctypes.macholib nturl2path
    _pyrepl.windows_console _pyrepl.windows_eventqueue asyncio.windows_events asyncio.windows_utils
    multiprocessing.popen_spawn_win32
    _pydatetime _pydecimal pydoc_data
    cffi asyncssh.agent_win32 asyncssh.gss_win32 prompt_toolkit.contrib prompt_toolkit.input.win32
    prompt_toolkit.input.win32_pipe prompt_toolkit.output.conemu prompt_toolkit.output.win32
    prompt_toolkit.output.windows10 prompt_toolkit.eventloop.win32 prompt_toolkit.win32_types
    """.split()
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


#: Where a module is from.
STANDARD, LIBRARY, OWN = range(3)


def collect(arguments):
    """All modules: dotted name -> (source, package or not, where it is from)."""
    found = {}
    for origin, folders in ((STANDARD, [arguments.standard]), (LIBRARY, arguments.library)):
        for folder in folders:
            found.update(
                (name, (read(path), package, origin))
                for name, path, package in modules(folder)
                if not left_out(name)
            )
    for file in sorted(os.listdir(arguments.additions)):
        name = file.removesuffix(".py")
        source, package, origin = found.get(name, (b"", False, STANDARD))
        added = read(os.path.join(arguments.additions, file))
        found[name] = (source + b"\n" + added, package, origin)
    for folder in arguments.own:
        package = os.path.basename(folder)
        found[package] = (read(os.path.join(folder, "__init__.py")), True, OWN)
        found.update({n: (read(path), k, OWN) for n, path, k in modules(folder, f"{package}.")})
    found["_distributions"] = (distributions(arguments.library).encode(), False, STANDARD)
    return found


def left_out(name):
    """Whether a module, or a package that it is in, is not wanted."""
    words = name.split(".")
    packages = (".".join(words[:i]) for i in range(1, len(words) + 1))
    return name.startswith(TERMINALS) or not LEFT_OUT.isdisjoint(packages)


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

    for name, (source, package, origin) in sorted(collect(arguments).items(), key=order):
        rows[name] = (place(blob, compiled(name, source, origin)), package)
    write(arguments.output, blob, rows)
    print(f"{len(rows)} modules, {len(blob)} bytes", file=sys.stderr)


def compiled(name, source, origin):
    """The code of a module, with what it has from __future__ in force, but not imported at every start."""
    tree = ast.parse(source)
    flags = 0
    for node in [n for n in tree.body if isinstance(n, ast.ImportFrom)]:
        if node.module == "__future__":
            tree.body.remove(node)
            for feature in node.names:
                flags |= getattr(__future__, feature.name).compiler_flag
    if origin != STANDARD:
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                strip(node)
    level = 1 if origin == OWN else 2
    return compile(tree, f"<frozen {name}>", "exec", flags, dont_inherit=True, optimize=level)


def strip(function):
    """Remove a function's docstring and annotations; what it is in other respects stays, its lines' numbers too."""
    words = function.args
    for word in (*words.posonlyargs, *words.args, *words.kwonlyargs, words.vararg, words.kwarg):
        if word is not None:
            word.annotation = None
    function.returns = None
    if ast.get_docstring(function, clean=False) is not None:
        nothing = ast.copy_location(ast.Pass(), function.body[0])
        function.body[0:1] = [] if function.body[1:] else [nothing]


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
