"""Programs of pure and of compiled packages in one booted box: each by the Python that suits it, all answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from snakeroot import config, programs, shipped

from tests.vm.conftest import BOOT, Box

API = """
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Point(BaseModel):
    x: int
    y: int


@app.post("/add")
def add(point: Point) -> int:
    return point.x + point.y
"""

WEB = """
import sys

from flask import Flask, render_template_string

app = Flask(__name__)


@app.get("/")
def root():
    return render_template_string("{{ name }} by {{ program }}", name="<flask>", program=sys.executable)


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=8002)
"""

FIGURES = """
import http.server
import multiprocessing
import sys

import numpy


def largest(size):
    return float(numpy.linalg.svd(numpy.eye(size) * 2.0, compute_uv=False).max())


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            answer = f"{pool.apply(largest, (3,))} by {sys.executable} {hash('snake')}"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())


if __name__ == "__main__":
    http.server.HTTPServer(("127.0.0.1", 8003), Handler).serve_forever()
"""

#: inotify(7) by ctypes: pure Python, and in need of the C library.
WATCHER = """
import http.server
import tempfile

import inotify_simple


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with tempfile.TemporaryDirectory() as folder, inotify_simple.INotify() as inotify:
            inotify.add_watch(folder, inotify_simple.flags.CREATE)
            open(folder + "/seen", "w").close()
            names = [event.name for event in inotify.read(timeout=5000)]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(repr(names).encode())


http.server.HTTPServer(("127.0.0.1", 8004), Handler).serve_forever()
"""

SERVICES = """
[services.api]
python = "./api"
module = "uvicorn"
arguments = ["api:app", "--host", "127.0.0.1", "--port", "8001"]
[services.web]
python = "./web"
[services.figures]
python = "./figures"
[services.watcher]
python = "./watcher"
"""


def _add(folder: Path) -> None:
    for name, code, requirements in (
        ("api", API, "fastapi\nuvicorn\n"),
        ("web", WEB, "flask\n"),
        ("figures", FIGURES, "numpy\n"),
        ("watcher", WATCHER, "inotify_simple\n"),
    ):
        (folder / name).mkdir()
        (folder / name / f"{name}.py").write_text(code)
        (folder / name / "requirements.txt").write_text(requirements)
    path = folder / "snakeroot.toml"
    path.write_text(path.read_text().replace("\n# [files]", f"{SERVICES}\n# [files]"))


@pytest.fixture(scope="module")
def mixed(make_box: Callable[..., AbstractContextManager[Box]]) -> Iterator[Box]:
    with make_box(_add) as box:
        yield box.ready()


def answer(box: Box, path: str, *words: str) -> str:
    """What a service of the box says; it may still be starting."""
    command = " ".join(("wget", "-q", "-O", "-", *words, f"http://127.0.0.1:{path}"))
    return str(box.wait(f"an answer from {path}", lambda: box.ssh(command).out, 4 * BOOT))


def test_the_runtime_follows_from_what_is_needed(mixed: Box) -> None:
    made = programs.every(config.load(mixed.instance.path), shipped.program())
    assert {name: one.runtime for name, one in made.items()} == {
        "hello": "static",
        "web": "static",
        "api": "dynamic",
        "figures": "dynamic",
        "watcher": "dynamic",
    }
    assert made["watcher"].why == "ctypes in inotify_simple.py"
    assert made["api"].why.startswith("pydantic_core/_pydantic_core.cpython-313")
    assert "markupsafe" in made["web"].packages
    assert made["web"].native == []


def test_fastapi(mixed: Box) -> None:
    data = json.dumps({"x": 40, "y": 2})
    assert (
        answer(
            mixed, "8001/add", "--header='Content-Type: application/json'", f"--post-data='{data}'"
        )
        == "42"
    )


def test_flask_from_the_snapshot(mixed: Box) -> None:
    assert answer(mixed, "8002/") == "&lt;flask&gt; by /bin/toolbox"


def test_numpy_in_spawned_processes_with_random_hashes(mixed: Box) -> None:
    answers = {answer(mixed, "8003/") for _ in range(2)}
    assert {text.rpartition(" ")[0] for text in answers} == {"2.0 by /bin/toolbox-dynamic"}
    mixed.ssh("service restart figures")
    assert answer(mixed, "8003/") not in answers


def test_the_c_library_by_ctypes(mixed: Box) -> None:
    assert answer(mixed, "8004/") == "['seen']"


def test_python_is_the_service_s_own_for_who_runs_it_as_the_service(mixed: Box) -> None:
    code = "import pydantic, sys; print(sys.executable)"
    done = mixed.ssh(f"service exec api python -c '{code}'")
    assert (done.out, done.err) == ("/bin/toolbox-dynamic\n", "")
    assert mixed.ssh("service exec web python -c 'import sys; print(sys.executable)'").out == (
        "/bin/toolbox\n"
    )


def test_nobody_but_the_service_is_in_its_folder(mixed: Box) -> None:
    """The dynamic program is everybody's, the code its service's alone."""
    assert mixed.ssh("stat -c '%a %U' /lib/snakeroot/api").out.split() == ["750", "root"]
    assert mixed.ssh("toolbox-dynamic python -c 'print(1)'").out == "1\n"
