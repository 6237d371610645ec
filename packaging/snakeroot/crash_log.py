"""Where a kernel leaves its last words for the next boot: memory that no kernel uses (ramoops).

A warm restart, as after a panic, does not clear the memory, and each release leaves the same piece of it alone.
It lies where neither GRUB nor a kernel loads anything, within the smallest machines.  Where a firmware clears
it, or has no memory there, the words are lost, and nothing else.

Sources: Documentation/admin-guide/ramoops.rst, kernel-parameters.rst (memmap=).
"""

from __future__ import annotations

from snakeroot.kernel import Kernel

MODULE = "ramoops"

#: Bytes; a power of two, as that of a record.  A record holds the last 10 KiB of the kernel's log.
ADDRESS, SIZE, RECORD = 96 << 20, 128 << 10, 32 << 10

#: For the kernel's command line: the memory is persistent, "!", and so is nobody's.
WORD = f"memmap={SIZE >> 10}K!{ADDRESS:#x}"

#: Only panics and oopses; nothing for the console, ftrace and programs, which the kernels don't support.
PARAMETERS = (
    f"mem_address={ADDRESS:#x} mem_size={SIZE} record_size={RECORD}"
    " console_size=0 ftrace_size=0 pmsg_size=0"
)


def modules(kernel: Kernel) -> dict[str, bytes]:
    """What is to be inserted for it, as Kernel.modules has them; nothing when the kernel cannot do it."""
    return kernel.modules((MODULE,)) if MODULE in kernel.module_files() else {}
