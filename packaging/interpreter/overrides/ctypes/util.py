"""ctypes.util in a program that loads no libraries: none is ever found (upstream would run compilers)."""


def find_library(name):
    return None
