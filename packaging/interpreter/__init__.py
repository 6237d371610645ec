"""The frozen program: a static CPython with all our code inside, one file that needs no other.

A second link of the same objects, against the shared C library, loads compiled modules (link.Linker.dynamic).

    pins.toml   which sources                     sources   where they are had, and their checksums
    stages      OpenSSL, CPython, cryptography: built once, kept by the hash of what goes in
    training    what CPython is optimized for
    freeze      Python code -> C tables           link      objects -> the program
    main.c      starts the interpreter            frozen.c, paths.c: what of CPython's is replaced
    syscalls.c  the module _syscalls              additions/  what standard modules must have otherwise here
    names.c     where users and hosts are looked up      static.c  who has shared libraries
    late.c, late.ld   what libraries do when they are needed, instead of before main()

`python -m interpreter [--output FILE]` (with packaging/ on the path) builds it; ./dev build calls that.
"""
