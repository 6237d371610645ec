"""Touch what calls of the functions of a list would touch: heat.py watches it.

Run from the image by `-c`, with the text of boot.functions as its argument: lines of "module: name name ...", where a
name is a function's __qualname__.  A function that is no longer there is left out.
"""

import builtins
import sys
from types import CodeType, FunctionType, ModuleType

#: co_flags: the first constant is the docstring (CPython's code.h).
HAS_DOCSTRING = 0x4000000

#: What most methods are called of.
TYPES = (str, bytes, bytearray, int, tuple, list, dict, set, frozenset)

#: Names that have been looked up there.
asked: set[str] = set()


def find(holder: object, path: list[str], classes: list[type]) -> list[CodeType]:
    """The code of the functions of a qualified name (lambdas share theirs) below a module.

    classes: those on the way are appended.
    """
    for number, name in enumerate(path):
        holder = getattr(holder, "__dict__", {}).get(name)
        if isinstance(holder, property):
            holder = holder.fget
        if isinstance(holder, type):
            classes.append(holder)
        holder = getattr(holder, "__func__", holder)
        while hasattr(holder, "__wrapped__"):
            holder = holder.__wrapped__
        if isinstance(holder, FunctionType):
            look(holder.__defaults__)
            look(holder.__closure__)
            inner = [name for name in path[number + 1 :] if name != "<locals>"]
            return nested([holder.__code__], inner)
    return []


def nested(found: list[CodeType], path: list[str]) -> list[CodeType]:
    """The code of functions inside functions."""
    for name in path:
        constants = [const for code in found for const in code.co_consts]
        found = [one for one in constants if isinstance(one, CodeType) and one.co_name == name]
    return found


def look(value: object) -> None:
    """A reference has been counted; constants are read to their ground."""
    if isinstance(value, (tuple, frozenset)):
        for one in value:
            look(one)


def touch(code: CodeType, variables: dict[str, object], classes: list[type]) -> None:
    """Its instructions, its constants, and what its names may mean, of modules or `classes`."""
    getattr(code, "_co_code_adaptive")  # noqa: B009  # unknown to typeshed
    look(code.co_qualname)
    documented = code.co_flags & HAS_DOCSTRING
    look(code.co_consts[1 if documented else 0 :])
    holders: list[ModuleType | type] = list(classes)
    for name in code.co_names:
        if name not in asked:
            asked.add(name)
            for kind in TYPES:
                look(kind.__dict__.get(name))
        values = variables.get(name, builtins.__dict__.get(name)), sys.modules.get(name)
        look(values)
        holders += [one for one in values if isinstance(one, (ModuleType, type))]
    for holder in holders:
        for name in code.co_names:
            value = holder.__dict__.get(name)
            look(value)
            if isinstance(value, ModuleType) and value not in holders:
                holders.append(value)


for line in sys.argv[1].splitlines():
    module, _, names = line.partition(": ")
    if there := sys.modules.get(module):
        for name in names.split():
            classes: list[type] = []
            for code in find(there, name.split("."), classes):
                touch(code, vars(there), classes)
