# Added to ctypes.util: a program that can load no libraries finds none; upstream would run compilers to look.
def find_library(name):
    return None
