"""Programs as others write them, unmodified, in one booted box: servers, clients, pictures; each is asked something.

Only with `./dev test --packages`; FastAPI under uvicorn and Flask always (test_runtimes.py).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from snakeroot import config, programs, shipped

from tests.vm.conftest import BOOT, Box, quoted
from tests.vm.test_runtimes import answer

pytestmark = pytest.mark.packages

FLASK = """
import os

from flask import Flask

app = Flask(__name__)


@app.get("/")
def root():
    return f"{os.getpid()} of {os.getppid()}"
"""

#: A Django project in one file, with its database in $HOME.
DJANGO = """
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpResponse
from django.urls import path

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(os.environ["HOME"], "visits.db"),
        }
    },
)


def visit(request):
    with connection.cursor() as cursor:
        cursor.execute("create table if not exists visits (at text)")
        cursor.execute("insert into visits values (datetime())")
        cursor.execute("select count(*) from visits")
        return HttpResponse(str(cursor.fetchone()[0]))


urlpatterns = [path("", visit)]
application = get_wsgi_application()
"""

PICTURES = """
import http.server
import io

import numpy
from PIL import Image


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        slope = numpy.add.outer(numpy.arange(64), numpy.arange(96)).astype("uint8")
        file = io.BytesIO()
        Image.fromarray(slope).resize((48, 32)).save(file, "png")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(file.getvalue())


http.server.HTTPServer(("", 8000), Handler).serve_forever()
"""

#: Says what it hears by MQTT again, in capitals.
ECHO = """
import paho.mqtt.client


def connected(client, userdata, flags, reason, properties):
    client.subscribe("ask", qos=1)


def heard(client, userdata, message):
    client.publish("answer", message.payload.upper(), qos=1, retain=True)


client = paho.mqtt.client.Client(paho.mqtt.client.CallbackAPIVersion.VERSION2)
client.on_connect = connected
client.on_message = heard
client.connect_async("127.0.0.1")
client.loop_forever(retry_first_connection=True)
"""

#: An HTTP answer by a Protocol, as servers do that are made for the loop.
LOOP = """
import asyncio

import uvloop


class Server(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        name = type(asyncio.get_running_loop())
        text = f"{name.__module__}.{name.__qualname__}"
        self.transport.write(f"HTTP/1.0 200 OK\\r\\nContent-Length: {len(text)}\\r\\n\\r\\n{text}".encode())
        self.transport.close()


async def main():
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 8003)
    await server.serve_forever()


uvloop.run(main())
"""

#: A method without generated code: its messages are bytes.
RPC = """
from concurrent.futures import ThreadPoolExecutor

import grpc


class Greeter(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == "/greeter/greet":
            return grpc.unary_unary_rpc_method_handler(lambda name, context: b"hello " + name)
        return None


server = grpc.server(ThreadPoolExecutor(2))
server.add_generic_rpc_handlers((Greeter(),))
server.add_insecure_port("127.0.0.1:8004")
server.start()
server.wait_for_termination()
"""

SERVICES = """
[services.flask-site]
python = "./flask-site"
module = "gunicorn"
arguments = ["--workers", "2", "--bind", "127.0.0.1:8001", "site_of_flask:app"]
[services.django-site]
python = "./django-site"
module = "gunicorn"
arguments = ["--bind", "127.0.0.1:8002", "site_of_django"]
ready = "notify"
[services.pictures]
python = "./pictures"
[services.broker]
binary = "/usr/sbin/mosquitto"
packages = ["mosquitto"]
[services.echo]
python = "./echo"
[services.loop]
python = "./loop"
[services.rpc]
python = "./rpc"
"""


def _add(folder: Path) -> None:
    for name, module, code, requirements in (
        ("flask-site", "site_of_flask", FLASK, "flask\ngunicorn\n"),
        ("django-site", "site_of_django", DJANGO, "django\ngunicorn\n"),
        ("pictures", "pictures", PICTURES, "numpy\npillow\n"),
        ("echo", "echo", ECHO, "paho-mqtt\n"),
        ("loop", "loop", LOOP, "uvloop\n"),
        ("rpc", "rpc", RPC, "grpcio\n"),
    ):
        (folder / name).mkdir()
        (folder / name / f"{module}.py").write_text(code)
        (folder / name / "requirements.txt").write_text(requirements)
    path = folder / "snakeroot.toml"
    text = path.read_text()
    begin, end = text.index("[services.hello]"), text.index("# [files]")
    path.write_text(f"{text[:begin]}{SERVICES}\n{text[end:]}\n[machine]\nmemory = 768\n")


@pytest.fixture(scope="module")
def site(make_box: Callable[..., AbstractContextManager[Box]]) -> Iterator[Box]:
    with make_box(_add) as box:
        yield box.ready()


def test_gunicorn_serves_flask_by_two_workers_of_one_master(site: Box) -> None:
    worker, _, master = answer(site, "8001/").partition(" of ")
    assert worker != master
    tree = site.ssh(f"cat /proc/{master}/task/{master}/children").out.split()
    assert len(tree) == 2 and worker in tree
    assert site.ssh(f"readlink /proc/{worker}/exe").out == "/bin/toolbox\n"


def test_django_counts_in_sqlite_on_the_disk(site: Box) -> None:
    first = int(answer(site, "8002/"))
    assert site.ssh("service restart django-site").status == 0
    assert int(answer(site, "8002/")) == first + 1
    assert site.ssh("stat -c %U /perm/home/django-site/visits.db").out == "django-site\n"


def test_a_picture_by_numpy_and_pillow(site: Box) -> None:
    site.wait(
        "a picture",
        lambda: site.curl("/", "-o", "/dev/null", port=8000).err == "200",
        seconds=4 * BOOT,
    )
    target = site.instance.output / "slope.png"
    site.curl("/", "-o", str(target), port=8000)
    data = target.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (48, 32)


def test_mqtt_by_paho_through_a_broker(site: Box) -> None:
    """The broker is the distribution's mosquitto; who asks is a second client, of the same package."""
    code = (
        "from paho.mqtt import publish, subscribe; host = {'hostname': '127.0.0.1', 'qos': 1};"
        "publish.single('ask', 'snake', retain=True, **host);"
        "print(subscribe.simple('answer', **host).payload.decode())"
    )
    site.wait("the broker", lambda: " running" in site.ssh("logs broker").out, 4 * BOOT)
    done = site.ssh(quoted("service", "exec", "echo", "python", "-c", code), seconds=300)
    assert done.out == "SNAKE\n", done.err
    log = site.ssh("logs broker").out
    assert "mosquitto version" in log and "New client connected" in log


def test_uvloop(site: Box) -> None:
    assert answer(site, "8003/") == "uvloop.Loop"


def test_grpc_call_between_two_programs(site: Box) -> None:
    code = (
        "import grpc; call = grpc.insecure_channel('127.0.0.1:8004').unary_unary('/greeter/greet');"
        "print(call(b'snake', timeout=60, wait_for_ready=True).decode())"
    )
    done = site.ssh(quoted("service", "exec", "rpc", "python", "-c", code), seconds=300)
    assert done.out == "hello snake\n", done.err


def test_none_was_started_twice_by_its_own_fault(site: Box) -> None:
    made = programs.every(config.load(site.instance.path), shipped.program())
    assert {name: one.runtime for name, one in made.items()} == {
        "flask-site": "static",
        "django-site": "static",
        "pictures": "dynamic",
        "echo": "static",
        "loop": "dynamic",
        "rpc": "dynamic",
    }
    states = site.services()
    for name in (*made, "broker"):
        assert (states[name]["state"], states[name]["restarts"]) == ("running", 0), states[name]
