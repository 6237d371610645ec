"""sysconfig's variables in a program without an installation: none of the build machine's."""

import _imp
import sys

#: Of compiled modules, which the dynamic program loads: ".cpython-313-x86_64-linux-gnu.so".
SUFFIX = _imp.extension_suffixes()[0]

build_time_vars = {
    "EXT_SUFFIX": SUFFIX,
    "MULTIARCH": "",
    "Py_DEBUG": 0,
    "Py_ENABLE_SHARED": 0,
    "Py_GIL_DISABLED": 0,
    "SIZEOF_VOID_P": 8,
    "SOABI": SUFFIX.split(".")[1],
    "TZPATH": "/usr/share/zoneinfo",
    "VERSION": f"{sys.version_info[0]}.{sys.version_info[1]}",
    "prefix": "/usr",
    "exec_prefix": "/usr",
}
