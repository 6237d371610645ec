"""How long `grep` searches: the same patterns in this checkout and in another one, in turn, in living processes.

    build/venv/bin/python -m tests.bench.patterns OTHER_CHECKOUT [WORD]...

Milliseconds of processor time for reading a pattern and searching a text with it, the least of some
rounds, and ours over theirs.  Rounds alternate, so that what else the machine does meets both; where
ours seems slower there are more.  WORD: only patterns that hold one.

    ./dev bench patterns     this checkout alone
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from math import inf
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

from tests.bench.table import Table  # noqa: E402

#: Options and patterns, by the text that they are for.
CASES: dict[str, list[list[str]]] = {
    "log": [
        ["error"],
        ["nowhere to be found"],
        ["-F", "id=77"],
        ["-i", "error"],
        ["-i", "ERROR.*timeout"],
        ["-v", "error"],
        ["-w", "error"],
        ["-x", "error"],
        ["-n", "error"],
        ["-o", "error"],
        ["-c", "."],
        ["-c", ""],
        ["-c", "^$"],
        ["^Nov"],
        ["ms$"],
        ["^Nov.*ms$"],
        ["error.*timeout"],
        ["timeout.*error"],
        ["e.*a"],
        ["host.*error.*a.*b"],
        ["a.*b.*c.*d.*e"],
        ['x=[0-9]+.*" (404|500)'],
        ["-E", 'x=[0-9]+.*" (404|500)'],
        ["-E", "error|warning"],
        ["-E", "error|warning|notice|info"],
        ["-E", "(error|warning): "],
        ["-E", "(error|warning).*(timeout|refused)"],
        ["-iE", "error|warning"],
        ["-e", "error", "-e", "warning"],
        ["-F", "-e", "error", "-e", "warning"],
        ["-Fw", "-e", "error", "-e", "warning"],
        ["-E", "[0-9]+ms"],
        ["[0-9][0-9]*ms"],
        ["-E", "x=[0-9]{3,5} "],
        ["-E", "[0-9]{1,3}(\\.[0-9]{1,3}){3}"],
        ["-E", "([0-9]{1,3}\\.){3}[0-9]{1,3}"],
        ["-oE", "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}"],
        ["-oE", "([0-9]{1,3}\\.){3}[0-9]{1,3}"],
        ["-oE", "x=[0-9]+"],
        ["-oE", "error|warning"],
        ["-o", "[a-z]*"],
        ["-oE", "[[:alpha:]]+=[^ ]+"],
        ["[[:upper:]][[:lower:]]*:"],
        ["-E", "^[A-Z][a-z]+ [ 0-9]{2} [0-9:]+ host[0-9] (sshd|nginx)\\["],
        ["-E", "\\bx=[0-9]+\\b"],
        ["\\<error\\>"],
        ["-w", "[0-9]*ms"],
        ["-xE", ".*error.*"],
        [".*error.*"],
        [".*error"],
        ["error.*"],
        ["-E", "^.*(error|warning).*$"],
        ["-E", "(.*error.*|.*timeout.*)"],
        ["-E", "user(name)?=[a-z]+"],
        ["-E", "(GET|POST) /[a-z/]*\\.(html|png)"],
        ["-E", '"(GET|POST) [^"]*" (404|500)'],
        ['"[^"]*" 404'],
        ["[^ ]* [^ ]* [^ ]* host1"],
        ["-E", "([a-z]+) \\1"],
        ["\\([a-z]\\)\\1ms"],
        ["-E", "(a|b|c|d|e)+f"],
        ["-E", "(ab|cd)+"],
        ["-E", "(ab|cd)*x"],
        ["-E", "a?b?c?d?x=9"],
        ["-E", "(error)?(warning)?: t"],
        ["-E", "\\.(html|png|css) "],
        ["-E", "s+h+d+"],
        ["-E", "(foo|bar|baz).*(qux|quux)"],
        ["-c", "o.*o.*o.*o"],
        ["-c", "[aeiou].*[aeiou].*[aeiou].*z"],
        ["-E", "^([^ ]+ ){5}error"],
        ["-E", "(x=[0-9]+.*){2}"],
    ],
    "long": [
        ["-c", "error"],
        ["-c", "error.*timeout"],
        ["-o", "error"],
        ["-oE", "x=[0-9]+"],
        ["-c", "[0-9]ms$"],
        ["-cE", "error|warning"],
        ["-cE", "nope|never"],
        ["-c", "nope.*never"],
        ["-c", "error.*nope"],
    ],
    "UTF-8": [
        ["é"],
        ["-i", "É"],
        ["-o", "é."],
        ["-c", "^.....$"],
        ["-cE", "^.{3,40}$"],
        ["n[^ é]*e"],
        ["-w", "née"],
        ["-E", "(née|été) "],
        ["é.*é"],
        ["-oE", "[[:alpha:]é]+"],
    ],
}

_LEVELS = ("info", "info", "info", "info", "notice", "warning", "error")
_WORDS = ("started", "timeout", "refused", "session opened", "closed", "cache", "baz", "abcd")
_FRENCH = ("née", "été", "maison", "le", "élève", "garçon", "à", "chat", "œuvre", "bien")


def texts() -> dict[str, bytes]:
    """Some 900 kB of each kind, always the same."""
    chance = random.Random(12)
    log: list[str] = []
    size = 0
    while size < 900_000:
        number = len(log)
        head = f"Nov {number % 30 + 1:2} {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02} host{number % 4} "
        if number % 3:
            log.append(
                f"{head}sshd[{chance.randrange(1000, 9999)}]: {chance.choice(_LEVELS)}: {chance.choice(_WORDS)} "
                f"user={chance.choice(('root', 'eve', 'adam'))} id={chance.randrange(999)} after {chance.randrange(9999)}ms\n"
            )
        else:
            log.append(
                f'{head}nginx: 10.0.{chance.randrange(256)}.{chance.randrange(256)} x={chance.randrange(99999)} "'
                f'{chance.choice(("GET", "POST"))} /a/{chance.choice(("index.html", "b.png", "api"))}" '
                f"{chance.choice((200, 200, 200, 304, 404, 500))} {chance.randrange(99999)}\n"
            )
        size += len(log[-1])
    text = "".join(log)
    long = [text[at : at + 90_000].replace("\n", " ") for at in range(0, size, 90_000)]
    french = [" ".join(chance.choices(_FRENCH, k=chance.randrange(1, 12))) for _ in range(27_000)]
    return {
        "log": text.encode(),
        "long": "".join(line + "\n" for line in long).encode(),
        "UTF-8": "".join(line + "\n" for line in french).encode(),
    }


class Checkout:
    """A living process that searches with a checkout's grep."""

    def __init__(self, folder: Path, locale: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder), "LC_ALL": locale},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def search(self, argv: list[str]) -> tuple[float, str]:
        """Milliseconds, and a digest of what was printed."""
        if self._process.stdin is None or self._process.stdout is None:
            raise TypeError("no pipes")
        print(json.dumps(argv), file=self._process.stdin, flush=True)
        spent, printed = json.loads(self._process.stdout.readline())
        return spent, printed

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def serve() -> None:
    """Search as each line of standard input says, and answer how long it took."""
    import hashlib

    from applets.findutils import grep  # of the checkout

    answers = os.fdopen(os.dup(1), "w")
    out = os.memfd_create("grep")
    os.dup2(out, 1)
    for line in sys.stdin:
        argv = json.loads(line)
        re.purge()
        os.ftruncate(out, 0)
        os.lseek(out, 0, os.SEEK_SET)
        start = time.process_time()
        with contextlib.suppress(SystemExit):
            grep.main(argv)
        sys.stdout.flush()
        spent = (time.process_time() - start) * 1000
        printed = hashlib.sha256(os.pread(out, os.fstat(out).st_size, 0)).hexdigest()
        print(json.dumps([spent, printed]), file=answers, flush=True)


@contextlib.contextmanager
def checkouts(folders: list[Path], locale: str) -> Iterator[list[Checkout]]:
    """A process for each folder."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(contextlib.closing(Checkout(folder, locale))) for folder in folders
        ]


def measure(other: Path | None = None, words: list[str] | None = None) -> list[Table]:
    """A table for each text."""
    folders = [ROOT] if other is None else [ROOT, other.resolve()]
    tables = []
    with tempfile.TemporaryDirectory() as scratch:
        for kind, text in texts().items():
            table = Table(f"grep in {len(text):,} bytes of {kind}: milliseconds")
            file = Path(scratch) / "text"
            file.write_bytes(text)
            with checkouts(folders, "C.UTF-8" if kind == "UTF-8" else "C") as processes:
                for case in CASES[kind]:
                    if words and not any(word in " ".join(case) for word in words):
                        continue
                    _row(table, case, ["grep", *case, str(file)], processes)
            if table.rows:
                tables.append(table)
    return tables


def _row(table: Table, case: list[str], argv: list[str], processes: list[Checkout]) -> None:
    best = [inf] * len(processes)
    rounds, until = 0, time.monotonic() + 2
    while rounds < 5 or time.monotonic() < until:
        found = [process.search(argv) for process in processes]
        if rounds:  # the first one imports
            best = [min(least, spent) for least, (spent, _) in zip(best, found, strict=True)]
        rounds += 1
        if rounds == 30 and (len(processes) == 1 or best[0] < 1.05 * best[1]):
            break  # what seems slower gets more time
    shown = " ".join(case)
    if len(processes) == 1:
        table.add(pattern=shown, ours=best[0])
        return
    same = found[0][1] == found[1][1]
    ratio = best[0] / best[1]
    table.add(
        pattern=shown,
        ours=best[0],
        other=best[1],
        ratio=ratio,
        remark=", ".join(["slower"] * (ratio > 1.1) + ["prints something else"] * (not same)),
    )


def main(argv: list[str]) -> int:
    """Compare with another checkout; 1 when a pattern takes more than 1.1 times as long here."""
    if argv == ["--serve"]:
        serve()
        return 0
    parser = argparse.ArgumentParser(prog="patterns", description=__doc__)
    parser.add_argument("other", type=Path)
    parser.add_argument("word", nargs="*")
    options = parser.parse_args(argv)
    tables = measure(options.other, options.word)
    for table in tables:
        print(f"\n{table.text()}")
    slower = [row for table in tables for row in table.rows if "slower" in str(row["remark"])]
    print(f"\n{len(slower)} slower")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
