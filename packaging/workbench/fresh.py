"""./dev fresh: the README's two commands in bare roots of Debian, as a stranger's machine would run them."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from interpreter.workshop import BuildError
from snakeroot.host import cache, replace

from workbench.bare_root import SUITES, BareRoot, files

#: Where commands run in the root, where the checkout lies, and the builder of the wheel.
HOME = "/root"
CHECKOUT = f"{HOME}/snakeroot"
SNAKEROOT = "venv/bin/snakeroot"

#: What of the tests is run unless all are asked for: each area of what depends on the distribution.  The programs, their
#: build and snapshot, GRUB, the first stage, the kernel's modules, and the black-box tests of some applets.
SAMPLE = (
    "tests/packaging/interpreter/test_program.py",
    "tests/packaging/interpreter/snapshot/test_process.py",
    "tests/packaging/boot/test_first_stage.py",
    "tests/packaging/snakeroot/test_kernel.py",
    "tests/packaging/snakeroot/test_disk.py",
    "tests/applets/coreutils",
)

#: Days for which a root that passed is not tried again by --changed, when no input has changed: what the distribution
#: has today is an input, too.
KEPT = 7

#: What is no input of the build and the boot.
NO_INPUTS = (
    *("tests/", "docs/", ".ci/"),
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", ".gitignore", ".editorconfig"),
)


def fresh(words: list[str], checkout: Path, logs: Path) -> int:
    """Try each release that is named, or all.  Status 1 when one fails, with a line that says where."""
    parser = argparse.ArgumentParser(prog="./dev fresh", allow_abbrev=False, add_help=False)
    parser.add_argument("suites", nargs="*")
    for option in ("--warm", "--boot", "--all", "--changed"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("--wheel", type=Path)
    chosen = parser.parse_args(words)
    if unknown := [suite for suite in chosen.suites if suite not in SUITES]:
        raise BuildError(f"fresh: {unknown[0]} is none of {', '.join(SUITES)}")
    if os.geteuid() != 0:
        raise BuildError("fresh: only root can make a root file system: sudo ./dev fresh")
    failed = []
    for suite in chosen.suites or SUITES:
        name = f"{suite}-wheel" if chosen.wheel else suite
        stamp = cache() / "fresh" / f"{name}.passed"
        digest = _inputs(checkout)
        if chosen.changed and _holds(stamp, digest):
            print(f"{name}: passed with the same inputs in the last {KEPT} days", file=sys.stderr)
            continue
        root = BareRoot(suite, cache() / "fresh" / name)
        trial = Trial(root, logs / f"fresh-{name}.log", warm=chosen.warm)
        problem = (
            trial.install(chosen.wheel)
            if chosen.wheel
            else trial.build(checkout, boot=chosen.boot, everything=chosen.all)
        )
        trial.show()
        if problem:
            failed.append(f"{name}: {problem}")
        else:
            replace(stamp, digest.encode())
    for line in failed:
        print(f"dev: fresh: {line}", file=sys.stderr)
    return 1 if failed else 0


class Trial:
    """The steps in the root of one release, and how long each took."""

    def __init__(self, root: BareRoot, log: Path, *, warm: bool) -> None:
        """warm: in the root of the last time, with its packages and its cache, if there is one."""
        self._root, self._log = root, log
        self._warm = warm and (root.folder / "usr/bin/python3").exists()
        self._times: list[tuple[str, float, str]] = []

    def build(self, checkout: Path, *, boot: bool, everything: bool) -> str:
        """Run the README's commands in a copy of the checkout; "" or what failed.

        boot: build and boot only.  everything: all tests, instead of a sample
        """
        try:
            self._prepare("python3")
            self._root.put(checkout, CHECKOUT)
            self._command("./dev run --yes --check", ["./dev", "run", "--yes", "--check"])
            if not boot:
                sample = [] if everything else list(SAMPLE)
                title = "./dev test --yes" + ("" if everything else " (a sample)")
                self._command(title, ["./dev", "test", "--yes", *sample])
        except BuildError as error:
            return str(error)
        return ""

    def install(self, wheel: Path) -> str:
        """Install the wheel as the README says, and boot a box that it made; "" or what failed."""
        try:
            self._prepare("python3", "python3-venv")
            self._command("remove the last trial", ["rm", "-rf", f"{HOME}/venv", f"{HOME}/box"])
            shutil.copy(wheel, self._root.folder / HOME.lstrip("/"))
            self._command("virtual environment", ["python3", "-m", "venv", "venv"])
            self._command("pip install", ["venv/bin/pip", "install", "-q", wheel.name])
            self._command("snakeroot doctor", [SNAKEROOT, "doctor", "--yes"])
            self._command("snakeroot new", [SNAKEROOT, "new", "box"])
            self._command("snakeroot run", [SNAKEROOT, "-C", "box", "run", "--check"])
        except BuildError as error:
            return str(error)
        return ""

    def _prepare(self, *packages: str) -> None:
        """Make the root, unless there is one, with what the README expects of its reader."""
        self._log.unlink(missing_ok=True)
        if not self._warm:
            self._step("bare root", lambda: self._root.make(self._log))
        self._root.take_network()
        if not self._warm:
            words = f"apt-get -q -y install --no-install-recommends {' '.join(packages)}"
            self._command("Python", ["sh", "-c", f"apt-get -q update && {words}"])

    def show(self) -> None:
        """Print how long each step took."""
        print(f"\n{self._root.suite}:", file=sys.stderr)
        for title, seconds, end in self._times:
            print(f"  {title:<48} {seconds:6.1f} s  {end}", file=sys.stderr)

    def _step(self, title: str, do: Callable[[], None]) -> None:
        print(f"\n== {self._root.suite}: {title}", file=sys.stderr, flush=True)
        started, end = time.monotonic(), "failed"
        try:
            do()
            end = ""
        finally:
            self._times.append((title, time.monotonic() - started, end))

    def _command(self, title: str, argv: list[str]) -> None:
        def do() -> None:
            status = self._root.run(argv, CHECKOUT if argv[0] == "./dev" else HOME)
            if status:
                raise BuildError(f"{title} ended with status {status}")

        self._step(title, do)


def _inputs(checkout: Path) -> str:
    """A hash of all that a build and a boot depend on, but for the distribution."""
    digest = hashlib.sha256(sys.version.encode())
    for name in files(checkout):
        if not name.startswith(NO_INPUTS):
            path = checkout / name
            content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            digest.update(hashlib.sha256(f"{name}\0".encode() + content).digest())
    return digest.hexdigest()


def _holds(stamp: Path, digest: str) -> bool:
    """Whether a stamp tells of these inputs and is not too old."""
    if not stamp.exists() or stamp.read_text() != digest:
        return False
    return time.time() - stamp.stat().st_mtime < KEPT * 86400
