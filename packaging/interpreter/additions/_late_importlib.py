"""In place of `_frozen_importlib_external`: the half of the import system that reads files, when it is needed.

CPython loads that half at every start, which is a sixth of an applet's whole run, though an applet imports
only what is frozen.  Here it is loaded, and set up as CPython does, by the first import that has a path to
search, by the import of importlib, or by whoever asks it for anything.
"""

import sys


class _LateFinder:
    """The last of sys.meta_path until the real PathFinder takes its place."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if path is None and not sys.path:
            return None
        return late().PathFinder.find_spec(name, path, target)


def late():
    """The real module, from now on in place of this one."""
    import _imp

    there = sys.modules["_frozen_importlib_external"]
    if there.__dict__ is not globals():
        return there
    bootstrap = sys.modules["_frozen_importlib"]
    real = type(sys)("_frozen_importlib_external")  # its classes' __module__
    real.__dict__.update(
        (name, globals()[name]) for name in ("__loader__", "__package__", "__spec__")
    )
    exec(_imp.get_frozen_object("importlib._bootstrap_external"), real.__dict__)
    real.__name__ = __name__  # importlib may have changed it
    for name in ("_frozen_importlib_external", "importlib._bootstrap_external"):
        if name in sys.modules:
            sys.modules[name] = real
    bootstrap._bootstrap_external = real
    sys.meta_path.remove(_LateFinder)
    real._install(bootstrap)
    del sys.modules["zipimport"]
    from zipimport import zipimporter

    sys.path_hooks.insert(0, zipimporter)
    return real


def __getattr__(name):
    return getattr(late(), name)


def _install(bootstrap):
    """What the interpreter calls as it starts."""
    sys.meta_path.append(_LateFinder)
    sys.modules["zipimport"] = None  # it would be the next to be imported
