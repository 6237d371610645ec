# ruff: noqa: F821
# Added to multiprocessing.spawn: sys.frozen is set, but this program takes -c CODE, and needs no freeze_support().
def get_command_line(**kwds):
    words = ", ".join(f"{name}={value!r}" for name, value in kwds.items())
    code = f"from multiprocessing.spawn import spawn_main; spawn_main({words})"
    options = util._args_from_interpreter_flags()
    return [get_executable(), *options, "-c", code, "--multiprocessing-fork"]
