"""What the builder accepts the box accepts: it asks the box's own parsers.

Breaks when a value passes `snakeroot check` that init, a daemon or the boot loader refuses on the box.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snakeroot import check, cli, config, keys, services
from snakeroot.host import BuildError

import applets
from applets.init.checks import CHECKS
from applets.init.config import parse
from tests.packaging.snakeroot.test_config import GOOD


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "hello.py").write_text("")
    (tmp_path / "program").write_text("#!/bin/sh\n")
    (tmp_path / "program").chmod(0o755)
    (tmp_path / "note").write_text("note")
    keys.create(tmp_path)  # so that it has an updater
    return tmp_path


def told(folder: Path, text: str) -> str:
    """What `load` says of a snakeroot.toml; "" when it is good."""
    (folder / "snakeroot.toml").write_text(text)
    try:
        config.load(folder)
    except BuildError as error:
        said = str(error).removeprefix(f"{folder}/snakeroot.toml:")
        assert "\n" not in said
        return said
    return ""


HELLO = "[services.hello]"
ROWS = [
    # in [services.hello], which begins in line 4
    (HELLO, "stop_timeout = 2592000.0", "5: seconds from 0 to 86400 are wanted, not 2592000.0"),
    (HELLO, "stop_timeout = inf", "5: seconds from 0 to 86400 are wanted, not Infinity"),
    (HELLO, "stop_timeout = nan", "5: seconds from 0 to 86400 are wanted, not NaN"),
    (HELLO, "stop_timeout = -1", "5: seconds from 0 to 86400 are wanted, not -1.0"),
    (HELLO, "limits = { nofiles = 1 }", "5: 'nofiles' is no limit; did you mean 'nofile'?"),
    (HELLO, "limits = { nofile = -1 }", '5: a number or "unlimited" is wanted, not -1'),
    (HELLO, 'limits = { nofile = "lots" }', '5: a number or "unlimited" is wanted'),
    (HELLO, "limits = { nofile = [9, 8] }", "5: 'nofile': the soft limit is above the hard one"),
    (HELLO, f"limits = {{ nofile = {1 << 70} }}", '5: a number or "unlimited" is wanted'),
    (HELLO, 'cgroup = { "memry.max" = "1M" }', "5: 'memry.max' is no setting of a control group"),
    (HELLO, 'cgroup = { "memory.max" = "lots" }', "5: 'memory.max': a number of bytes"),
    (HELLO, 'cgroup = { "memory.max" = "64MB" }', "5: 'memory.max': a number of bytes"),
    (HELLO, 'cgroup = { "pids.max" = "0x10" }', "5: 'pids.max': a number"),
    (HELLO, 'cgroup = { "cpu.weight" = "0" }', "5: 'cpu.weight': a number from 1 to 10000"),
    (HELLO, 'cgroup = { "cgroup.kill" = "1" }', "5: 'cgroup.kill' is no setting"),
    (HELLO, 'cgroup = { "../x" = "1" }', "5: '../x' is no setting"),
    (HELLO, 'cgroup = { "memory" = "1" }', "5: 'memory' is no setting"),
    (HELLO, "oom_score_adj = 1001", "5: a number from -1000 to 1000 is wanted, not 1001"),
    (HELLO, 'disk = "200MB"', "5: a number of bytes from 4096 on"),
    (HELLO, "disk = 0", "5: a number of bytes from 4096 on (\"64M\"), a share (\"50%\") or \"max\" is"),
    (HELLO, 'files = "0%"', "5: a number from 1 on, a share (\"50%\") or \"max\" is wanted"),
    (HELLO, "files = -5", "5: a number from 1 on"),
    (HELLO, "files = 1.5", "5: 'services.hello.files' must be a string or a whole number"),
    (HELLO, 'user = "root"\nfiles = 5', "6: 'files' is its own user's, and it runs as 'root'"),
    (HELLO, 'user = "second"\ndisk = "5M"', "6: 'disk' is its own user's, and it runs as 'second'"),
    (HELLO, 'arguments = ["a\\u0000b"]', "5: contains a null character"),
    (HELLO, 'environment = { "A=B" = "c" }', "5: 'A=B' is no name of a variable"),
    (HELLO, 'environment = { "" = "c" }', "5: '' is no name of a variable"),
    (HELLO, 'environment = { A = "\\u0000" }', "5: contains a null character"),
    (HELLO, f'environment = {{ A = "{"x" * 131072}" }}', "5: longer than a program can be given"),
    (HELLO, f'arguments = ["{"x" * 131072}"]', "5: longer than a program can be given"),
    (HELLO, 'wait_for = ["hello"]', "5: a cycle: hello -> hello"),
    (HELLO, 'wait_for = ["second"]', "5: a cycle: hello -> second -> hello"),
    (HELLO, 'wait_for = ["committed"]', "5: 'committed' comes when all services are ready"),
    (HELLO, 'user = "ghost"', "5: there is no user 'ghost': root, nobody, or a service's name"),
    (HELLO, 'runtime = "fast"', "5: 'services.hello.runtime' must be 'auto' or 'static' or"),
    ('python = "./hello"', 'binary = "program"\nruntime = "static"', "6: 'runtime' is for 'python'"),
    (HELLO, 'module = "a b"', "5: 'a b' is no name of a module"),
    (HELLO, 'module = "-x"', "5: '-x' is no name of a module"),
    ('python = "./hello"', 'python = "--index-url=http://x"', "5: '--index-url=http://x' is neither"),
    ("ports = [8000]", "ports = [80]", "6: port 80 is taken by the box's page"),
    ("ports = [8000]", "ports = [22]", "6: port 22 is taken by the box's SSH server"),
    ("ports = [8000]", "ports = [8022]", "6: port 8022 is taken by machine.ssh_port"),
    ("ports = [8000]", "ports = [8000, 8000]", "6: port 8000 is taken by services.hello"),
    # others, put before the first table
    ("", "[update]\nhealthy_within = 86400.0", "5: 86400 s: must be 0 to 86370"),
    ("", "[update]\nhealthy_after = nan", "5: nan s: must be 0 to 3600"),
    ("", "[update]\npoll = 0.01", "5: 0.01 s: must be 0, for never, or 1 to"),
    ("", "[update]\npoll = inf", "5: inf s: must be 0, for never, or 1 to"),
    ("", '[update]\ncheck = "a\\u0000b"', "4: contains a null character"),
    ("", '[sysctl]\n"../x" = "1"', "4: '../x' is no name of a kernel parameter"),
    ("", '[sysctl]\n"a" = "\\u0000"', "4: contains a null character"),
    ("", "[disk]\nperm = 1", "5: 1 MiB: must be 16 to"),
    ("memory = 256", "memory = -1", "16: -1: must be 64 to"),
    ("memory = 256", "processors = 0", "16: 0: must be 1 to 255"),
    ("memory = 256", "page_port = 70000", "16: 70000: must be 1 to 65535"),
    ("memory = 256", "page_port = 8022", "port 8022 is taken by machine.page_port"),
    ("", '[kernel]\narguments = ["a b"]', "5: 'a b' cannot be passed on by the boot loader"),
    ("", '[release]\nfloor = "x"', "5: 'x' is no version"),
    ("", '[release]\nchannel = "Stable!"', "5: 'Stable!': use small letters"),
    ("", '[release]\nboard = "a b"', "4: release.board: 'a b' is not allowed"),
    ("", '[files]\n"/a/../b" = "note"', "5: '/a/../b' is no plain path"),
    ("", '[files]\n"/" = "note"', "5: '/' is no plain path"),
    ("", '[files]\n"/a/" = "note"', "5: '/a/' is no plain path"),
    ("", '[files]\n"/a" = "."', "'.' has the instance's keys in it"),
    ("", '[files]\n"/a" = ""', "'' has the instance's keys in it"),
    ("", '[files]\n"/a" = ".."', "'..' has the instance's keys in it"),
    ("", '[files]\n"/a" = { source = "note", owner = "ghost" }', "owner: 'ghost' is neither root"),
    ("", '[files]\n"/a" = { source = "note", mode = "888" }', "mode: '888' is no mode"),
    ("", '[files]\n"/a" = { source = "note", mode = "0" }', "mode: '0' is no mode"),
    ("", '[files]\n"/a" = { sorce = "note" }', "unknown key 'sorce' in [files./a]; did you mean"),
    ("", '[files]\n"/a" = { owner = "hello" }', "'source' is missing"),
    ("", '[files]\n"/a" = 7', "'files./a' must be a string or a table, not 7"),
    ('hostname = "box"', 'hostname = "box"\nntp = ["-x"]', "2: '-x' is neither a host name"),
    ('hostname = "box"', 'hostname = "box"\nntp = [""]', "2: '' is neither a host name"),
    ('hostname = "box"', 'hostname = "box"\npassword = "$scrypt$x"', "2: must be a scrypt hash"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "what", "words"), ROWS)
def test_what_the_box_would_refuse_is_told_with_its_line(
    folder: Path, where: str, what: str, words: str
) -> None:
    if where == HELLO:
        text = GOOD.replace(HELLO, f"{HELLO}\n{what}").replace("stop_timeout = 3\n", "")
    elif where:
        text = GOOD.replace(where, what)
    else:
        text = GOOD.replace(HELLO, f"{what}\n{HELLO}", 1)
    assert words in told(folder, text)


@pytest.mark.parametrize(
    "what",
    [
        'limits = { nofile = "unlimited", core = [0, 10] }',
        'cgroup = { "memory.max" = "50%", "pids.max" = 100, "cpu.max" = "50000 100000" }',
        'cgroup = { "memory.high" = "1G", "io.max" = "8:0 rbps=1" }',
        "stop_timeout = 86400",
        'user = "root"',
        'user = "second"',
        'wait_for = ["network", "clock", "breakglass", "httpd"]',
        'environment = { "A B" = "c", "Ä" = "ö" }',
        "oom_score_adj = -1000",
        'disk = "200M"\nfiles = 50000',
        'disk = "max"\nfiles = "10%"',
        "disk = 1048576",
        'arguments = ["--x", "", "ä"]',
    ],
)
def test_what_the_box_takes_is_good(folder: Path, what: str) -> None:
    assert told(folder, GOOD.replace(HELLO, f"{HELLO}\n{what}")) == ""


TEXT = st.text(max_size=6) | st.sampled_from(
    ["\0", "a=b", "network", "hello", "root", "1", "max", "50%", "-x", "memory.max", "nofile"]
)
NUMBERS = (
    st.integers(-3, 3)
    | st.integers()
    | st.floats()
    | st.sampled_from([86400, 86400.5, 1 << 63, 1e300])
)
SERVICES = st.fixed_dictionaries(
    {},
    optional={
        "arguments": st.lists(TEXT, max_size=3),
        "environment": st.dictionaries(TEXT, TEXT, max_size=3),
        "user": TEXT,
        "wait_for": st.lists(TEXT, max_size=2),
        "provides": st.lists(TEXT, max_size=2),
        "restart": st.sampled_from(["always", "never"]),
        "ready": st.sampled_from(["start", "notify"]),
        "stop_timeout": NUMBERS,
        "uid": st.integers(-3, 1 << 33),
        "ports": st.lists(st.integers(-1, 70000), max_size=2),
        "limits": st.dictionaries(TEXT, st.integers() | TEXT | st.lists(st.integers()), max_size=2),
        "disk": TEXT | st.integers(),
        "files": TEXT | st.integers(),
        "cgroup": st.dictionaries(TEXT, TEXT | st.integers(), max_size=2),
        "oom_score_adj": st.integers(-2000, 2000),
    },
)
TOP = st.fixed_dictionaries(
    {"hostname": st.sampled_from(["box", "b-x", "a.b", "", "x" * 64])},
    optional={
        "ntp": st.lists(TEXT, max_size=2),
        "sysctl": st.dictionaries(TEXT, TEXT, max_size=2),
        "update": st.fixed_dictionaries(
            {},
            optional={
                "check": TEXT,
                "healthy_after": NUMBERS,
                "healthy_within": NUMBERS,
                "poll": NUMBERS,
                "window": st.sampled_from(["", "02:00-04:30", "24:00-25:00", "x"]),
            },
        ),
    },
)


def toml(value: Any) -> str:
    """A value in TOML, whatever it holds."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(c):08x}" for c in value) + '"'
    if isinstance(value, float):
        return repr(value) if "e" not in repr(value) or "." in repr(value) else f"{value:.1f}"
    return str(value)


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(TOP, SERVICES)
def test_what_check_accepts_the_box_accepts(
    folder: Path, top: dict[str, Any], service: dict[str, Any]
) -> None:
    lines = [f"{key} = {toml(value)}" for key, value in top.items()]
    lines += [HELLO, 'python = "./hello"', *(f"{k} = {toml(v)}" for k, v in service.items())]
    if told(folder, "\n".join(lines) + "\n"):
        return
    instance = config.load(folder)
    written = services.contents(instance)
    read = parse(json.dumps(written).encode())
    assert read.problems == []
    for name, entry in written["services"].items():
        if name in applets.MODULES and name in check.OWN:
            importlib.import_module(applets.MODULES[name]).options.parse(entry["command"][1:])


def test_every_key_that_init_knows_is_checked_by_init() -> None:
    """The builder writes no key that init would not look at."""
    settings = config.Settings(hostname="box", services={"x": config.Service(binary="x")})
    written = services.contents(config.Instance(Path("/none"), settings))["services"]
    for entry in written.values():
        assert set(entry) <= set(CHECKS)


def test_answer_for_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def asked() -> tuple[int, dict[str, Any]]:
        status = cli.main(["-C", str(folder), "check", "--json"])
        return status, json.loads(capsys.readouterr().out)

    path = folder / "snakeroot.toml"
    assert asked() == (
        1,
        {
            "good": False,
            "file": str(path),
            "error": {
                "line": 0,
                "text": "no such file",
                "hint": "make an instance: snakeroot new NAME",
            },
        },
    )
    path.write_text('hostname = "x"\n[services.web]\npython = "./hello"\nports = [8000]\n')
    status, said = asked()
    assert (status, said["good"], said["file"]) == (0, True, str(path))
    web = said["services"]["web"]
    assert (web["python"], web["module"], web["ports"]) == ("./hello", "hello", [8000])
    path.write_text('hostname = "x"\nntpp = []\n')
    status, said = asked()
    assert (status, said["good"], said["error"]["line"]) == (1, False, 2)
    assert said["error"]["text"].startswith("unknown key 'ntpp'; did you mean")
