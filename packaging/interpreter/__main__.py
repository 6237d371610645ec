"""`python -m interpreter`: build the frozen programs."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from snakeroot.host import step
from workbench import processes

from interpreter import link, snapshot, stages
from interpreter.workshop import BuildError, explain

ROOT = Path(__file__).resolve().parents[2]


def build(program: Path, logs: Path) -> None:
    """Build what is not in the cache, then freeze and link."""

    def log(name: str) -> Path:
        path = logs / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        return path

    made = stages.every(log("sources"))
    titles = ("OpenSSL", "CPython", "Python libraries", "cryptography (Rust)")
    for stage, title in zip(made, titles, strict=True):
        if not stage.complete:
            with step(title):
                stage.make(log(stage.name))
        stage.use()
    with tempfile.TemporaryDirectory() as scratch:
        frozen = Path(scratch) / "frozen"
        with step("freezing Python code"):
            link.freeze(made.python, made.code, frozen, log("freeze"))
        linker = link.Linker(made.ssl, made.python, made.native, frozen, log("link"))
        with step("linking"):
            linker.plain(program.with_name(f"{program.name}-plain"))
            linker.dynamic(program.with_name(f"{program.name}-dynamic"))
        with step("recording the snapshot"):
            snapshot.record(linker.recorder, linker.layouts(), program, log("snapshot"))


def main() -> int:
    """Build; status 1 and the reason when a step fails."""
    parser = argparse.ArgumentParser(prog="interpreter", description=__doc__, allow_abbrev=False)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "toolbox", metavar="FILE")
    arguments = parser.parse_args()
    processes.end_on_signals()
    missing = [tool for tool in ("gcc", "make", "rustc", "cargo", "perl") if not shutil.which(tool)]
    try:
        if missing:
            raise BuildError(
                f"{', '.join(missing)}: not found; `./dev doctor` says what is missing"
            )
        build(arguments.output.resolve(), ROOT / "build" / "log")
    except BuildError as error:
        print(f"dev: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"dev: {explain(error, arguments.output.parent)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        processes.stop_all()  # ./dev says so
        return interrupt.status if isinstance(interrupt, processes.Interrupted) else 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
