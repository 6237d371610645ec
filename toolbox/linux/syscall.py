"""The one door for system calls by number (syscall(2)).

The C module `_syscalls` is part of the frozen program; `pip install` builds it where there is a C compiler.
The numbers come from it too, so they are right for the machine it was compiled for.
"""

from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def syscall(name: str, *arguments: int | str | bytes | bytearray | None) -> int:
    """Make the system call `name` ("mount") and return its result.

    Arguments: integers; None as NULL; str as a file name; bytes-like objects as pointers to their
    memory, which the kernel may write to when it is a bytearray.  OSError with the kernel's errno.
    """
    call, number = prepared(name)
    result: int = call(number, *arguments)
    return result


def prepared(name: str) -> tuple[Callable[..., int], int]:
    """The function and the number that `syscall` would look up at each call; for loops over many files.

    call, number = prepared("statx")
    call(number, ...)
    """
    door = _module()
    number = getattr(door, f"SYS_{name}", None)
    if number is None:
        raise OSError(errno.ENOSYS, f"system call {name} is not known on this architecture")
    return door.syscall, number


def address(buffer: bytes | bytearray) -> int:
    """The address of a buffer's memory, for structures that hold pointers; the caller keeps it alive."""
    result: int = _module().addressof(buffer)
    return result


def _module() -> Any:
    try:
        import _syscalls
    except ImportError:
        raise OSError(
            errno.ENOSYS,
            "this Python has no _syscalls module: use the frozen program, or `pip install -e .`"
            " with a C compiler",
        ) from None
    return _syscalls
