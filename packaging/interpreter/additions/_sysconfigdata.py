"""sysconfig's variables in a program without an installation: none of the build machine's."""

build_time_vars = {
    "EXT_SUFFIX": ".so",
    "MULTIARCH": "",
    "Py_DEBUG": 0,
    "Py_ENABLE_SHARED": 0,
    "Py_GIL_DISABLED": 0,
    "SIZEOF_VOID_P": 8,
    "SOABI": "",
    "TZPATH": "/usr/share/zoneinfo",
    "VERSION": "3.13",
    "prefix": "/usr",
    "exec_prefix": "/usr",
}
