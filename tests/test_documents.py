"""The documents of the checkout: breaks when a link leads nowhere, a command is none, or the tutorial's applet is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/*.md", "packaging/**/*.md") for path in ROOT.glob(pattern)
)

#: What is between backquotes and begins like a path of the checkout.
PATH = re.compile(r"`((?:applets|toolbox|packaging|tests|docs)/[\w./-]+)`")

#: Files that the tutorial asks its reader to write.
TUTORIAL = {"applets/coreutils/tac.py", "tests/applets/coreutils/test_tac.py"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(document: Path) -> None:
    text = document.read_text()
    links = [one for one in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in one]
    assert [one for one in links if not (document.parent / one).exists()] == []
    assert [
        one for one in PATH.findall(text) if not (ROOT / one).exists() and one not in TUTORIAL
    ] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_of_dev_exist(document: Path) -> None:
    known = subprocess.run([ROOT / "dev", "--help"], capture_output=True, text=True, check=True)
    commands = set(re.findall(r"(?m)(?:`|^    |sudo )\./dev ([a-z]+)", document.read_text()))
    assert [one for one in sorted(commands) if f"\n  {one} " not in known.stdout] == []


@pytest.mark.parametrize("text", [b"", b"\n", b"a\nb\n", b"a\nb", b"a\rb\nc\n"])
def test_the_first_applet_does_what_gnu_does(text: bytes) -> None:
    """That of CONTRIBUTING.md, as it is printed there."""
    tutorial = (ROOT / "CONTRIBUTING.md").read_text()
    start = tutorial.index('       """tac [FILE]...')
    code = textwrap.dedent(tutorial[start : tutorial.index("\n2. ", start)])
    gnu = subprocess.run(["tac"], input=text, capture_output=True, check=True)
    words = [sys.executable, "-c", f"{code}\nimport sys\nsys.exit(main(['tac']))\n"]
    done = subprocess.run(words, input=text, capture_output=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, gnu.stdout, b"")
