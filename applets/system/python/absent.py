"""Why the program lacks some modules of a usual python3, for the error of a program that imports them."""

from __future__ import annotations

_SCREEN = "a box has no screen to draw on"
_INSTALL = (
    "a box installs nothing: name what the program needs in its requirements.txt or pyproject.toml,"
    " and `snakeroot build` puts it into the image"
)

#: The top package -> why, and what to do instead.
REASONS = {
    "ensurepip": _INSTALL,
    "pip": _INSTALL,
    "venv": _INSTALL,
    "virtualenv": _INSTALL,
    "_tkinter": _SCREEN,
    "idlelib": _SCREEN,
    "tkinter": _SCREEN,
    "turtle": _SCREEN,
    "turtledemo": _SCREEN,
    "_dbm": "its library is not in the program: use dbm.sqlite3 or dbm.dumb",
    "_gdbm": "its library is under the GPL: use dbm.sqlite3 or dbm.dumb",
    "pydoc_data": "the texts of help('topics') are not in the program: see the documentation of Python",
    "readline": "its library is under the GPL: `python` without a program edits its lines by itself",
    "test": "CPython's own tests are not in the program",
}


def reason(name: str | None) -> str:
    """Why a module is not there; "" for one that is not a part of python3."""
    return REASONS.get((name or "").partition(".")[0], "")


def explain(error: BaseException) -> None:
    """Add the reason to the error of an import, as a note below its traceback."""
    if isinstance(error, ModuleNotFoundError) and (why := reason(error.name)):
        error.add_note(why)
