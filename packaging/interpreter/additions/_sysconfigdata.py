"""sysconfig's variables in a program without an installation: none of the build machine's."""

import sys

build_time_vars = {
    "EXT_SUFFIX": ".so",
    "MULTIARCH": "",
    "Py_DEBUG": 0,
    "Py_ENABLE_SHARED": 0,
    "Py_GIL_DISABLED": 0,
    "SIZEOF_VOID_P": 8,
    "SOABI": "",
    "TZPATH": "/usr/share/zoneinfo",
    "VERSION": f"{sys.version_info[0]}.{sys.version_info[1]}",
    "prefix": "/usr",
    "exec_prefix": "/usr",
}
