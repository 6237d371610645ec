# ruff: noqa: F821
# Added to importlib: whoever imports it may look at the whole import system, so the late half comes now.
if hasattr(_bootstrap_external, "late"):
    _bootstrap_external = _bootstrap_external.late()
