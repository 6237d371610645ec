"""./dev fresh: the README's two commands in bare roots of Debian, as a stranger's machine would run them."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from interpreter.workshop import BuildError
from snakeroot.host import cache, replace

from workbench.bare_root import SUITES, BareRoot, files

#: Where the checkout lies in the root.
CHECKOUT = "/root/snakeroot"

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
NO_INPUTS = ("tests/", "README.md", "LICENSE", ".ci/", ".gitignore")


def fresh(words: list[str], checkout: Path, logs: Path) -> int:
    """Try each release that is named, or all.  Status 1 when one fails, with a line that says where."""
    parser = argparse.ArgumentParser(prog="./dev fresh", allow_abbrev=False, add_help=False)
    parser.add_argument("suites", nargs="*")
    for option in ("--warm", "--boot", "--all", "--changed"):
        parser.add_argument(option, action="store_true")
    chosen = parser.parse_args(words)
    if unknown := [suite for suite in chosen.suites if suite not in SUITES]:
        raise BuildError(f"fresh: {unknown[0]} is none of {', '.join(SUITES)}")
    if os.geteuid() != 0:
        raise BuildError("fresh: only root can make a root file system: sudo ./dev fresh")
    failed = []
    for suite in chosen.suites or SUITES:
        stamp = cache() / "fresh" / f"{suite}.passed"
        digest = _inputs(checkout)
        if chosen.changed and _holds(stamp, digest):
            print(f"{suite}: passed with the same inputs in the last {KEPT} days", file=sys.stderr)
            continue
        trial = Trial(suite, checkout, logs / f"fresh-{suite}.log")
        problem = trial.run(warm=chosen.warm, boot=chosen.boot, everything=chosen.all)
        trial.show()
        if problem:
            failed.append(f"{suite}: {problem}")
        else:
            replace(stamp, digest.encode())
    for line in failed:
        print(f"dev: fresh: {line}", file=sys.stderr)
    return 1 if failed else 0


class Trial:
    """The steps in the root of one release, and how long each took."""

    def __init__(self, suite: str, checkout: Path, log: Path) -> None:
        self._root = BareRoot(suite, cache() / "fresh" / suite)
        self._checkout, self._log = checkout, log
        self._times: list[tuple[str, float, str]] = []

    def run(self, *, warm: bool, boot: bool, everything: bool) -> str:
        """Run them; "" or what failed.

        warm: in the root of the last time, with its packages and its cache, if there is one
        boot: build and boot only.  everything: all tests, instead of a sample
        """
        self._log.unlink(missing_ok=True)
        try:
            warm = warm and (self._root.folder / "usr/bin/python3").exists()
            if not warm:
                self._step("bare root", lambda: self._root.make(self._log))
            self._root.take_network()
            if not warm:
                python = (
                    "apt-get -q update && apt-get -q -y install --no-install-recommends python3"
                )
                self._command("Python", ["sh", "-c", python])
            self._root.put(self._checkout, CHECKOUT)
            self._command("./dev run --yes --check", ["./dev", "run", "--yes", "--check"])
            if not boot:
                sample = [] if everything else list(SAMPLE)
                title = "./dev test --yes" + ("" if everything else " (a sample)")
                self._command(title, ["./dev", "test", "--yes", *sample])
        except BuildError as error:
            return str(error)
        return ""

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
            status = self._root.run(argv, CHECKOUT if argv[0] == "./dev" else "/")
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
