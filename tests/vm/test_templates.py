"""An instance of a template on a box, from `snakeroot new` to the answer of its program.

Flask's always; the others with `./dev test --packages`.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from snakeroot import new

from tests.vm.conftest import BOOT, PATIENT, Box, Result, namespace


@contextlib.contextmanager
def booted(folder: Path, template: str) -> Iterator[Box]:
    """A box of a template, in the folder where it may have been made already; it is switched off at the end."""
    if not folder.exists():
        new.create(folder, template)
    with (folder / "snakeroot.toml").open("a") as settings:
        settings.write(PATIENT)
    with namespace() as netns:
        box = Box(folder, netns)
        try:
            yield box.ready()
            box.poweroff()
        finally:
            box.close()


def ask(box: Box, *words: str, path: str = "/") -> Result:
    """What its program answers; it may still be starting."""

    def answer() -> Result | None:
        found = box.curl(path, *words, port=8000, login=False)
        return found if found.err != "000" else None

    found = box.wait("the program's answer", answer, 4 * BOOT)
    assert isinstance(found, Result)
    return found


def test_guest_book_of_flask_keeps_what_is_written(tmp_path: Path) -> None:
    with booted(tmp_path / "book", "flask") as box:
        assert ask(box).err == "200"
        words = ["--data-urlencode", "name=Ann", "--data-urlencode", "text=<hi>"]
        assert ask(box, *words).err == "302"
        assert box.ssh("service restart web").status == 0
        assert "Ann</b><br>&lt;hi&gt;" in ask(box).out
        assert box.ssh("stat -c %U /perm/home/web/guestbook.db").out == "web\n"


@pytest.mark.packages
def test_readings_of_fastapi_are_checked_and_kept(tmp_path: Path) -> None:
    with booted(tmp_path / "readings", "fastapi") as box:
        kind = ["-H", "Content-Type: application/json"]
        assert ask(box, *kind, "-d", '{"sensor": "attic", "value": 21.5}').err == "201"
        assert ask(box, *kind, "-d", '{"sensor": "", "value": "x"}').err == "422"
        assert box.ssh("service restart web").status == 0
        (found,) = json.loads(ask(box).out)
        assert (found["sensor"], found["value"]) == ("attic", 21.5)


@pytest.mark.packages
def test_notes_of_django_are_kept(tmp_path: Path) -> None:
    with booted(tmp_path / "notes", "django") as box:
        jar = ["-c", str(tmp_path / "jar"), "-b", str(tmp_path / "jar")]
        form = ask(box, *jar)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.out)
        assert form.err == "200" and token
        words = ["--data-urlencode", "text=<milk>", "-d", f"csrfmiddlewaretoken={token[1]}"]
        assert ask(box, *jar, *words).err == "302"
        assert ask(box, "-d", "text=x").err == "403"
        assert box.ssh("service restart web").status == 0
        assert "&lt;milk&gt;" in ask(box).out
        assert ask(box, path="/static/admin/css/base.css").err == "200"
        made = "python -m manage createsuperuser --noinput --username ann --email a@b.example"
        done = box.ssh(f"service exec web env DJANGO_SUPERUSER_PASSWORD=x1y2z3 {made}")
        assert done.status == 0 and "created" in done.out, done.err


@pytest.mark.packages
def test_worker_is_ready_and_goes_on_where_it_was(tmp_path: Path) -> None:
    with booted(tmp_path / "work", "worker") as box:
        box.wait("it is ready", lambda: box.services().get("worker", {}).get("ready"))
        assert box.ssh("service restart worker").status == 0
        lines = box.wait("its second run", lambda: "run 2: " in box.ssh("logs worker").out)
        assert lines
        assert json.loads(box.ssh("cat /perm/home/worker/state.json").out)["runs"] == 2


@pytest.mark.packages
def test_static_site(tmp_path: Path) -> None:
    with booted(tmp_path / "pages", "static-site") as box:
        assert "<h1>pages</h1>" in ask(box).out
        assert ask(box, path="/style.css").err == "200"
        assert ask(box, path="/none").err == "404"


@pytest.mark.packages
def test_binary_from_c(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    new.create(folder, "binary")
    toml = (folder / "snakeroot.toml").read_text()
    line = re.search(r"^# C: +(cc .*)$", toml, re.MULTILINE)
    assert line
    subprocess.run(line[1].split(), cwd=folder, check=True)
    with booted(folder, "binary") as box:
        assert ask(box).out == "<!doctype html><title>program</title><h1>Hello from C</h1>\n"
