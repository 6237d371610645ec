"""Compile files with the box's own Python:  python bytecode.py < JSON list of [SOURCE, RESULT, NAME in the box, NAME here]

Prints a JSON list with a list for each file: ["file:line: what is wrong", and the line], or nothing when it is good; then
RESULT has its bytecode, which is taken whatever the source's time.  "" as RESULT is where Python looks for it.
"""

from __future__ import annotations

import json
import py_compile
import sys


def compile_file(source: str, result: str, name: str, shown: str) -> list[str]:
    """What is wrong with it, in one or two lines."""
    try:
        py_compile.compile(
            source,
            result or None,
            name,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    except py_compile.PyCompileError as error:
        wrong = error.exc_value
        if not isinstance(wrong, SyntaxError):
            return [f"{shown}: {error.exc_type_name}: {wrong}"]
        place = f"{shown}:{wrong.lineno}" if wrong.lineno else shown
        said = [f"{place}: {error.exc_type_name}: {wrong.msg}"]
        line = (wrong.text or "").strip()
        return [*said, f"  {line}"] if line else said
    except (RecursionError, MemoryError, OverflowError) as error:
        return [f"{shown}: {type(error).__name__}: {error}".rstrip(": ")]
    return []


if __name__ == "__main__":
    print(json.dumps([compile_file(*words) for words in json.load(sys.stdin)]))
