"""Packages that people put on such boxes, and one thing that each of them does there.

requirements -> (the Python that runs it, what it does and prints True for).  The versions are what a CPython 3.13 gets.
"""

from __future__ import annotations

STATIC, DYNAMIC = "static", "dynamic"

#: Always tried: pure, pure without an optional compiled part, compiled from C, C++ and Rust, and by ctypes.
SAMPLE = {
    "flask": (
        STATIC,
        "from flask import Flask; a = Flask('x'); print(a.test_client().get('/').status_code == 404)",
    ),
    "fastapi": (
        DYNAMIC,
        "from fastapi import FastAPI; from pydantic import BaseModel\n"
        "class P(BaseModel): x: int\n"
        "a = FastAPI(); a.post('/')(lambda p: p); print(P(x='3').x == 3)",
    ),
    "numpy": (DYNAMIC, "import numpy as n; print(round(n.linalg.det(n.eye(3) * 2)) == 8)"),
    "pyyaml": (STATIC, "import yaml; print(yaml.safe_load('a: [1, 2]') == {'a': [1, 2]})"),
    "psutil": (DYNAMIC, "import psutil; print(psutil.Process().pid > 0)"),
    "orjson": (DYNAMIC, "import orjson; print(orjson.loads(orjson.dumps({'a': 1})) == {'a': 1})"),
    "django": (
        STATIC,
        "from django.conf import settings; settings.configure(); import django; django.setup()\n"
        "from django.template import Context, Engine\n"
        "print(Engine().from_string('{{ x }}').render(Context({'x': '<'})) == '&lt;')",
    ),
    "sqlalchemy": (
        STATIC,
        "import sqlalchemy as s; e = s.create_engine('sqlite://')\n"
        "print(e.connect().execute(s.text('select 40 + 2')).scalar() == 42)",
    ),
    "inotify_simple": (
        DYNAMIC,
        "import inotify_simple; print(inotify_simple.INotify().fileno() > 2)",
    ),
    "psycopg[binary]": (DYNAMIC, "import psycopg; print(psycopg.pq.__impl__ == 'binary')"),
}

#: The rest: ./dev test --packages.
MORE = {
    "jinja2": (STATIC, "import jinja2; print(jinja2.Template('{{ 1 + 1 }}').render() == '2')"),
    "quart": (
        STATIC,
        "import asyncio, quart; a = quart.Quart('x'); a.get('/')(lambda: 'y')\n"
        "print(asyncio.run(a.test_client().get('/')).status_code == 200)",
    ),
    "dash": (
        DYNAMIC,
        "import dash; a = dash.Dash('x'); a.layout = dash.html.Div('y')\n"
        "print(b'Div' in a.server.test_client().get('/_dash-layout').data)",
    ),
    "msgpack": (STATIC, "import msgpack; print(msgpack.unpackb(msgpack.packb([1])) == [1])"),
    "pandas": (DYNAMIC, "import pandas as p; print(p.DataFrame({'a': [1, 2]}).a.sum() == 3)"),
    "pillow": (
        DYNAMIC,
        "from PIL import Image; print(Image.new('L', (4, 4)).resize((2, 2)).size == (2, 2))",
    ),
    "uvloop": (
        DYNAMIC,
        "import asyncio, uvloop\nasync def f(): return 1\nprint(uvloop.run(f()) == 1)",
    ),
    "lxml": (
        DYNAMIC,
        "from lxml import etree as e; print(e.fromstring('<a><b/></a>')[0].tag == 'b')",
    ),
    "bcrypt": (DYNAMIC, "import bcrypt as b; print(b.checkpw(b'x', b.hashpw(b'x', b.gensalt(4))))"),
    "pymongo": (STATIC, "import bson; print(bson.decode(bson.encode({'a': 1})) == {'a': 1})"),
    "opencv-python-headless": (
        DYNAMIC,
        "import cv2, numpy; print(cv2.blur(numpy.ones((4, 4)), (2, 2)).sum() == 16)",
    ),
    "scikit-learn": (
        DYNAMIC,
        "from sklearn.linear_model import LinearRegression as L\n"
        "print(round(L().fit([[0], [1]], [0, 2]).predict([[2]])[0]) == 4)",
    ),
    "onnxruntime": (
        DYNAMIC,
        "import onnxruntime as o; print('CPUExecutionProvider' in o.get_available_providers())",
    ),
    "matplotlib": (
        DYNAMIC,
        "import io, matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as p\n"
        "f = io.BytesIO(); p.plot([1, 2]); p.savefig(f); print(f.getvalue()[1:4] == b'PNG')",
    ),
    "sqlmodel": (
        DYNAMIC,
        "import sqlmodel as s\n"
        "class A(s.SQLModel, table=True): id: int | None = s.Field(None, primary_key=True)\n"
        "e = s.create_engine('sqlite://'); s.SQLModel.metadata.create_all(e); x = s.Session(e); x.add(A()); x.commit()\n"
        "print(x.exec(s.select(A)).one().id == 1)",
    ),
    "tornado": (STATIC, "import tornado.web; print(tornado.web.Application([]) is not None)"),
    "pyzmq": (
        DYNAMIC,
        "import zmq; c = zmq.Context(); a, b = c.socket(zmq.PAIR), c.socket(zmq.PAIR)\n"
        "a.bind('inproc://x'); b.connect('inproc://x'); b.send(b'y'); print(a.recv() == b'y')",
    ),
    "grpcio": (
        DYNAMIC,
        "import grpc; from concurrent.futures import ThreadPoolExecutor as T\n"
        "class H(grpc.GenericRpcHandler):\n"
        "    def service(self, details): return grpc.unary_unary_rpc_method_handler(lambda r, c: r + b'y')\n"
        "s = grpc.server(T(1)); s.add_generic_rpc_handlers((H(),)); p = s.add_insecure_port('127.0.0.1:0'); s.start()\n"
        "print(grpc.insecure_channel(f'127.0.0.1:{p}').unary_unary('/a/b')(b'x', timeout=100) == b'xy')",
    ),
    "streamlit": (
        DYNAMIC,
        "from streamlit.testing.v1 import AppTest as A\n"
        "print(A.from_string('import streamlit; streamlit.write(\"x\")').run(timeout=200).markdown[0].value == 'x')",
    ),
    "watchdog": (
        DYNAMIC,
        "from watchdog.observers import Observer; o = Observer(); print('inotify' in type(o).__module__)",
    ),
    "nicegui": (
        DYNAMIC,
        "from nicegui.elements.markdown import prepare_content as p; print('<strong>' in p('**x**', ''))",
    ),
    "pydantic": (
        DYNAMIC,
        "from pydantic import TypeAdapter as T; print(T(int).validate_python('3') == 3)",
    ),
    "bleak": (
        STATIC,
        "import bleak.backends.bluezdbus.client, dbus_fast.signature as s\n"
        "print(s.SignatureTree('as').types[0].children[0].token == 's')",
    ),
    "zeroconf": (
        DYNAMIC,
        "import zeroconf; print(zeroconf.ServiceInfo('_a._tcp.local.', 'b._a._tcp.local.').name[0] == 'b')",
    ),
    "requests": (
        STATIC,
        "import requests; print(requests.Request('GET', 'http://x/').prepare().url == 'http://x/')",
    ),
    "httpx": (STATIC, "import httpx; print(httpx.URL('http://x/a').path == '/a')"),
    "aiohttp": (
        STATIC,
        "import asyncio; from aiohttp import ClientSession, web\n"
        "async def h(request): return web.Response(text='y')\n"
        "async def f():\n"
        "    a = web.Application(); a.router.add_get('/', h); r = web.AppRunner(a); await r.setup()\n"
        "    await web.TCPSite(r, '127.0.0.1', 0).start()\n"
        "    async with ClientSession() as c, c.get('http://127.0.0.1:%d/' % r.addresses[0][1]) as x:\n"
        "        print(await x.text() == 'y')\n"
        "asyncio.run(f())",
    ),
    "gunicorn": (
        STATIC,
        "from gunicorn.config import Config; c = Config(); c.set('workers', '3'); print(c.workers == 3)",
    ),
    "uvicorn": (STATIC, "import uvicorn; print(uvicorn.Config('a:b').port == 8000)"),
    "starlette": (
        STATIC,
        "from starlette.applications import Starlette as S; from starlette.routing import Route as R\n"
        "print(S(routes=[R('/a/{b}', print, name='a')]).url_path_for('a', b='c') == '/a/c')",
    ),
    "paho-mqtt": (
        STATIC,
        "import paho.mqtt.client as c; print(c.Client(c.CallbackAPIVersion.VERSION2).is_connected() is False)",
    ),
    "click": (STATIC, "import click; print(click.style('x', fg='red') != 'x')"),
    "rich": (STATIC, "from rich.text import Text; print(Text('x').plain == 'x')"),
    "typer": (DYNAMIC, "import typer; print(typer.Typer() is not None)"),
    "bottle": (STATIC, "import bottle; print(bottle.template('{{x}}', x=1) == '1')"),
    "cherrypy": (DYNAMIC, "import cherrypy; print(cherrypy.engine.state.name == 'STOPPED')"),
    "websockets": (
        STATIC,
        "from websockets.frames import Frame, Opcode; print(Frame(Opcode.TEXT, b'x').data == b'x')",
    ),
    "redis": (
        STATIC,
        "from redis.connection import Connection as C\n"
        "print(b''.join(C().pack_command('GET', 'a')) == b'*2\\r\\n$3\\r\\nGET\\r\\n$1\\r\\na\\r\\n')",
    ),
    "pyserial": (STATIC, "import serial; print(serial.Serial().is_open is False)"),
    "schedule": (
        STATIC,
        "import schedule; print(schedule.every().day.at('10:00').do(print).interval == 1)",
    ),
    "apscheduler": (
        STATIC,
        "from apscheduler.schedulers.background import BackgroundScheduler as B; print(B().state == 0)",
    ),
    "jsonschema": (
        DYNAMIC,
        "import jsonschema; print(jsonschema.validate(1, {'type': 'integer'}) is None)",
    ),
    "python-dotenv": (
        STATIC,
        "import dotenv, io; print(dotenv.dotenv_values(stream=io.StringIO('A=b')) == {'A': 'b'})",
    ),
    "attrs": (STATIC, "import attrs\n@attrs.define\nclass A: x: int\nprint(A(1) == A(1))"),
    "python-dateutil": (
        STATIC,
        "from dateutil.parser import parse; print(parse('1 Feb 2024').month == 2)",
    ),
    "beautifulsoup4": (
        STATIC,
        "import bs4; print(bs4.BeautifulSoup('<a>x</a>', 'html.parser').a.text == 'x')",
    ),
    "feedparser": (
        STATIC,
        "import feedparser; print(feedparser.parse('<rss><channel/></rss>').version == 'rss')",
    ),
    "pypiserver": (
        STATIC,
        "import cgi, pypiserver; print(pypiserver.app(roots=['/tmp']) is not None)",
    ),
    "radicale": (
        DYNAMIC,  # renameat2 of the C library, by ctypes
        "import radicale.pathutils as p; print(p.renameat2 is not None and p.sanitize_path('a//b') == '/a/b')",
    ),
    "waitress": (
        STATIC,
        "from waitress.parser import HTTPRequestParser as P; from waitress.adjustments import Adjustments as A\n"
        "p = P(A()); p.received(b'GET /a HTTP/1.1\\r\\n\\r\\n'); print(p.path == '/a')",
    ),
    "dnspython": (STATIC, "import dns.name; print(str(dns.name.from_text('a.b')) == 'a.b.')"),
    "prometheus-client": (
        STATIC,
        "import prometheus_client as p; print(b'python_info' in p.generate_latest())",
    ),
    "cryptography": (
        STATIC,
        "from cryptography.fernet import Fernet as F; k = F(F.generate_key()); print(k.decrypt(k.encrypt(b'x')) == b'x')",
    ),
}
