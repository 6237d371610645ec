# ruff: noqa: F821
# Added to ctypes.util: upstream would run compilers and ldconfig to look, and a box has neither.
def find_library(name):
    """The file name of a library where the C library's loader looks; None in a program that loads no libraries."""
    import _ctypes

    try:
        _ctypes.dlsym(_ctypes.dlopen(None, 0), "Py_IncRef")
    except OSError:
        return None  # the static program exports nothing
    folders = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    for top in ("/lib", "/usr/lib", "/usr/local/lib"):
        folders += [f"{top}/{os.uname().machine}-linux-gnu", f"{top}64", top]
    plain = f"lib{name}.so"
    for folder in filter(None, folders):
        try:
            names = [n for n in os.listdir(folder) if n == plain or n.startswith(f"{plain}.")]
        except OSError:
            continue
        # libz.so.1 before libz.so.1.3, and last libz.so, which is for compilers and may be a script for ld.
        for found in sorted(names, key=lambda n: (n == plain, n.count("."), n)):
            with open(f"{folder}/{found}", "rb") as file:
                if file.read(4) == b"\x7fELF":
                    return found
    return None
