"""services.json: every mistake names its service and key, and costs no other service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applets.init.checks import CHECKS, Problem, parse_address
from applets.init.config import MAX_BYTES, dependencies, load, parse


def with_service(**settings: Any) -> bytes:
    return json.dumps(
        {"services": {"x": {"command": ["/bin/x"], **settings}, "good": {"command": ["/bin/y"]}}}
    ).encode()


def test_everything_at_once() -> None:
    config = parse(
        json.dumps(
            {
                "hostname": "box",
                "modules": ["virtio_net"],
                "sysctl": {"net.ipv4.ip_forward": 1},
                "services": {
                    "web": {
                        "command": ["/bin/web", "-p", "80"],
                        "environment": {"A": "b"},
                        "directory": "/srv",
                        "user": "web",
                        "group": 33,
                        "wait_for": ["network", "db"],
                        "provides": ["site"],
                        "idle": 1.5,
                        "restart": "on-failure",
                        "ready": "notify",
                        "start_timeout": 30,
                        "listen": ["[::]:80", "127.0.0.1:81", ":82", "/run/w.sock", "@w"],
                        "stop_timeout": 2.5,
                        "no_new_privs": True,
                        "capabilities": ["CAP_NET_BIND_SERVICE"],
                        "nice": -5,
                        "limits": {"nofile": 100, "core": [0, "unlimited"]},
                        "cgroup": {"memory.max": "64M", "pids.max": 10},
                        "devices": ["/dev/net/tun"],
                        "tty": None,
                        "state_directory": "/perm/web",
                    },
                    "db": {"command": ["db"]},
                },
            }
        ).encode()
    )
    assert config.problems == []
    assert (config.hostname, config.modules) == ("box", ["virtio_net"])
    assert config.sysctl == {"net.ipv4.ip_forward": "1"}
    web = config.services["web"]
    assert web.limits == {"nofile": (100, 100), "core": (0, -1)}
    assert web.cgroup == {"memory.max": "64M", "pids.max": "10"}
    assert web.capabilities == ["net_bind_service"]
    assert dependencies(config, "web") == ["db"]


WRONG = [
    ({"comand": 1}, "'comand': unknown key; did you mean 'command'?"),
    ({"command": "ls -l"}, "'command': a list of strings is wanted, not \"ls -l\""),
    ({"command": []}, "'command': a program is wanted"),
    ({"command": ["a\0b"]}, "'command': contains a null character"),
    ({"command": [1]}, "'command': a string is wanted, not 1"),
    ({"environment": {"A": 1}}, "'environment': a string is wanted, not 1"),
    ({"environment": {"A=B": "1"}}, "'environment': 'A=B' is no name of a variable"),
    ({"environment": []}, "'environment': an object is wanted, not []"),
    ({"directory": "srv"}, "'directory': an absolute path is wanted, not \"srv\""),
    ({"user": True}, "'user': a string is wanted, not true"),
    ({"wait_for": "network"}, "'wait_for': a list of strings is wanted, not \"network\""),
    ({"restart": "Always"}, "'restart': one of always, on-failure, never is wanted"),
    ({"ready": []}, "'ready': one of start, notify, exit is wanted, not []"),
    ({"stop_timeout": -1}, "'stop_timeout': seconds from 0 to 86400 are wanted, not -1"),
    ({"stop_timeout": float("nan")}, "'stop_timeout': seconds from 0 to 86400 are wanted, not NaN"),
    ({"stop_timeout": True}, "'stop_timeout': seconds from 0 to 86400 are wanted, not true"),
    ({"no_new_privs": "yes"}, "'no_new_privs': true or false is wanted, not \"yes\""),
    ({"capabilities": ["net_amin"]}, "'capabilities': 'net_amin' is no capability; did you mean"),
    ({"nice": -21}, "'nice': a number from -20 to 19 is wanted, not -21"),
    ({"nice": 1.5}, "'nice': a number from -20 to 19 is wanted, not 1.5"),
    ({"nice": True}, "'nice': a number from -20 to 19 is wanted, not true"),
    ({"limits": {"nofiles": 1}}, "'limits': 'nofiles' is no limit; did you mean 'nofile'?"),
    ({"limits": {"nofile": -1}}, "'limits': a number or \"unlimited\" is wanted, not -1"),
    ({"oom_score_adj": 1001}, "'oom_score_adj': a number from -1000 to 1000 is wanted, not 1001"),
    ({"oom_score_adj": True}, "'oom_score_adj': a number from -1000 to 1000 is wanted"),
    ({"limits": {"nofile": [2, 1]}}, "'limits': 'nofile': the soft limit is above the hard one"),
    ({"limits": {"nofile": ["unlimited", 1]}}, "'limits': 'nofile': the soft limit is above"),
    ({"cgroup": {"memory.max": "64MB"}}, "'cgroup': 'memory.max': a number of bytes (\"64M\")"),
    ({"cgroup": {"memory.max": "101%"}}, "'cgroup': 'memory.max': a number of bytes"),
    ({"cgroup": {"pids.max": -1}}, "'cgroup': 'pids.max': a number, a share"),
    ({"cgroup": {"memry.max": 1}}, "no setting of a control group, such as 'memory.max'; did"),
    ({"cgroup": {"cpu.max": "1 2 3"}}, "'cgroup': 'cpu.max': microseconds of each period"),
    ({"command": ["/bin/x", "y" * 131072]}, "'command': longer than a program can be given"),
    ({"environment": {"A": "y" * 131070}}, "'environment': longer than a program can be given"),
    ({"limits": {"nofile": [1]}}, "'limits': 'nofile': [SOFT, HARD] is wanted, not [1]"),
    ({"cgroup": {"../x": "1"}}, "'cgroup': '../x' is no setting of a control group"),
    ({"cgroup": {"cgroup.kill": "1"}}, "'cgroup': 'cgroup.kill' is no setting"),
    ({"listen": ["80"]}, "'listen': '80' is not ADDRESS:PORT"),
    ({"listen": ["1.2.3.4:99999"]}, "'listen': '1.2.3.4:99999' is not ADDRESS:PORT"),
    ({"listen": ["::1:80"]}, "'listen': '::1:80': an IPv6 address stands in brackets"),
    ({"wait_for": ["netwrk"]}, "'netwrk' is no service, and none provides it; did you mean"),
    ({"wait_for": ["x"]}, "'wait_for': a cycle: x -> x"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_a_wrong_value_is_named_and_costs_that_service_alone(
    settings: dict[str, Any], message: str
) -> None:
    config = parse(with_service(**settings))
    assert message in config.services["x"].problem
    assert any(line.startswith("service 'x': ") and message in line for line in config.problems)
    assert config.services["good"].problem == ""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b" " * (MAX_BYTES + 1), "larger than"),
        (b'{"service": {}}', "'service': unknown key; did you mean 'services'?"),
        (b'{"services": []}', "'services': an object is wanted, not []"),
        (b'{"hostname": "a/b"}', "'hostname': \"a/b\" is no host name"),
        (b'{"sysctl": {"../x": "1"}}', "'sysctl': '../x' is no name"),
        (b'{"modules": "a"}', "'modules': a list of strings"),
        (b'{"services": {"a b": {"command": ["x"]}}}', "service 'a b': a name is up to 64"),
        (b'{"services": {"kernel": {"command": ["x"]}}}', "service 'kernel': the name is reserved"),
        (b'{"services": {"a": {}}}', "service 'a': 'command' is missing"),
        (b'{"services": {"a": 1}}', "service 'a': an object is wanted, not 1"),
        (b'{"hostname": "a", "hostname": "b"}', "'hostname' is given twice"),
    ],
)
def test_a_wrong_file_is_survived(data: bytes, message: str) -> None:
    assert any(message in problem for problem in parse(data).problems)


def test_a_cycle_is_named_by_each_of_its_services_and_by_no_other() -> None:
    def entry(*names: str, provides: tuple[str, ...] = ()) -> dict[str, object]:
        return {"command": ["x"], "wait_for": list(names), "provides": list(provides)}

    config = parse(
        json.dumps(
            {
                "services": {
                    "a": entry("b"),
                    "b": entry("thing"),
                    "c": entry("a", provides=("thing",)),
                    "d": entry("a"),
                }
            }
        ).encode()
    )
    assert config.services["a"].problem == "'wait_for': a cycle: a -> b -> c -> a"
    assert config.services["b"].problem == "'wait_for': a cycle: b -> c -> a -> b"
    assert config.services["d"].problem == ""


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    config = load(str(tmp_path / "none"))
    assert config.problems == [f"{tmp_path}/none: No such file or directory"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.0.0.0:22", ("tcp", "0.0.0.0", 22)),
        ("[::]:22", ("tcp", "::", 22)),
        (":22", ("tcp", "", 22)),
        ("/run/x", ("unix", "/run/x", 0)),
        ("@x", ("unix", "@x", 0)),
    ],
)
def test_addresses(text: str, expected: tuple[str, str, int]) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize("text", ["", "22", "a:", "a:0", "a:x", "a:²", "/", "/" + "x" * 200])
def test_no_addresses(text: str) -> None:
    with pytest.raises(Problem):
        parse_address(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(data: bytes) -> None:
    parse(data)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["services", "hostname", "modules", "sysctl"]) | st.text(max_size=5),
        values
        | st.dictionaries(st.text(max_size=5), st.dictionaries(st.sampled_from([*CHECKS]), values)),
    )
)
def test_any_values_are_survived(top: dict[str, Any]) -> None:
    parse(json.dumps(top).encode())
