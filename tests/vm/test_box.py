"""The box as its owner sees it: page, shell, files, time, services that come back, a clean end.

Each test breaks when that part of the appliance does: they run the image that `snakeroot build` makes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from snakeroot import users

OWN = {"dhcp", "ntp", "randomd", "httpd", "breakglass", "console", "update"}


def test_the_page_asks_for_the_password_and_then_shows_the_box(box: Any) -> None:
    assert box.curl("/", login=False).err == "401"
    page = box.curl("/")
    assert page.err == "200"
    assert "<!doctype html>" in page.out.lower()
    for word in ("hello", "dhcp", "httpd", "Snakeroot"):
        assert word in page.out


def test_a_wrong_password_is_refused(box: Any) -> None:
    assert box.curl("/", "-u", "box:wrong", login=False).err == "401"


def test_the_same_as_json(box: Any) -> None:
    services = box.wait("hello runs", lambda: box.services() if "hello" in box.services() else None)
    assert OWN | {"hello"} == set(services)
    assert services["hello"]["state"] == "running"
    assert services["dhcp"]["ready"]


def test_the_users_program_answers(box: Any) -> None:
    answer = box.wait("hello answers", lambda: (a := box.curl("/", port=8000)).err == "200" and a)
    assert "Hello from a box made of Python" in answer.out
    assert "<svg" in answer.out, "its requirement, segno, drew a QR code"


def test_the_lease_is_applied(box: Any) -> None:
    box.wait("network", lambda: box.services()["dhcp"]["ready"])
    lease = json.loads(box.ssh("cat /run/dhcp/eth0.json").out)
    assert lease["address"] == "10.0.2.15"
    assert re.search(r"inet 10\.0\.2\.15/24 ", box.ssh("ip addr").out)
    assert re.search(r"^default via 10\.0\.2\.2 dev eth0", box.ssh("ip route").out, re.M)
    assert "nameserver 10.0.2.3" in box.ssh("cat /etc/resolv.conf").out


def test_the_shell_of_the_demonstration(box: Any) -> None:
    r = box.ssh("ls -l /bin; ps; mount; cat /etc/resolv.conf; ip addr")
    assert r.status == 0, r.err
    assert re.search(r"^lrwxrwxrwx .* ls -> toolbox$", r.out, re.M)
    assert "cgroup2" in r.out
    assert r.err == ""


def test_exit_status_signals_and_streams(box: Any) -> None:
    assert box.ssh("exit 3").status == 3
    assert box.ssh("echo out; echo err >&2; cat", stdin=b"in\n")[:3] == (0, "out\nin\n", "err\n")
    assert box.ssh("no-such-program").status == 127
    assert box.ssh("kill -9 $$").status not in (0, 127)


def test_a_terminal_with_job_control(box: Any) -> None:
    r = box.ssh("tty; sleep 100 & jobs; kill %1; wait; echo done", "-tt")
    assert r.status == 0
    assert "/dev/pts/" in r.out
    assert "done" in r.out


def test_sftp_and_scp_both_ways(box: Any, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "up").write_bytes(data)
    common = [*box.ssh_options(), "-P", "8022"]
    for extra in ([], ["-O"]):
        up = box.run(["scp", *extra, *common, str(tmp_path / "up"), "root@127.0.0.1:/tmp/there"])
        assert up.status == 0, up.err
        assert (
            hashlib.sha256(data).hexdigest()
            in box.ssh(
                'python -c \'import hashlib;print(hashlib.sha256(open("/tmp/there","rb").read()).hexdigest())\''
            ).out
        )
        down = box.run(
            ["scp", *extra, *common, "root@127.0.0.1:/tmp/there", str(tmp_path / "down")]
        )
        assert down.status == 0, down.err
        assert (tmp_path / "down").read_bytes() == data
        box.ssh("rm /tmp/there")
    batch = f"put {tmp_path}/up /tmp/there\nls -l /tmp\nrm /tmp/there\n".encode()
    sftp = box.run(["sftp", "-b", "-", *common, "root@127.0.0.1"], stdin=batch)
    assert sftp.status == 0, sftp.err


def test_everything_that_runs_is_our_program(box: Any) -> None:
    command = "for p in /proc/[0-9]*; do readlink $p/exe; done | sort | uniq -c"
    lines = [line.split() for line in box.ssh(command).out.splitlines()]
    assert [path for _, path in lines] == ["/bin/toolbox"]
    names = {line.split()[-1] for line in box.ssh("ps -e -o pid,comm").out.splitlines()[1:]}
    assert {"init", "dhcp", "ntp", "randomd", "httpd", "sh"} <= names


def test_the_program_runs_as_a_user_of_its_own(box: Any) -> None:
    box.wait("hello runs", lambda: box.services()["hello"]["pid"])
    pid = box.services()["hello"]["pid"]
    status = box.ssh(f"cat /proc/{pid}/status").out
    assert re.search(rf"^Uid:\s+{users.number('hello')}\s", status, re.M)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    assert "/hello" in box.ssh(f"cat /proc/{pid}/cgroup").out


#: capabilities(7): net_bind_service is 10, net_admin 12, net_raw 13, sys_admin 21, sys_time 25.
POWERS = {
    "dhcp": (0, 1 << 10 | 1 << 12 | 1 << 13 | 1 << 21),
    "httpd": (users.number("httpd"), 1 << 10),
    "randomd": (0, 1 << 21),
    "ntp": (users.number("ntp"), 1 << 25),
    "hello": (users.number("hello"), 0),
}


@pytest.mark.parametrize("name", POWERS)
def test_a_daemon_has_the_powers_of_its_job_and_gains_no_others(box: Any, name: str) -> None:
    pid = box.wait(f"{name} runs", lambda: (box.services().get(name) or {}).get("pid"))
    lines = box.ssh(f"cat /proc/{pid}/status").out.splitlines()
    status = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
    uid, capabilities = POWERS[name]
    assert status["Uid"] == [str(uid)] * 4
    for which in ("CapEff", "CapPrm", "CapBnd"):
        assert int(status[which][0], 16) == capabilities, which
    assert status["NoNewPrivs"] == ["1"]


@pytest.mark.parametrize("name", ["dhcp", "ntp", "randomd", "httpd", "hello", "console"])
def test_a_killed_service_comes_back(box: Any, name: str) -> None:
    before = box.wait(f"{name} runs", lambda: (box.services().get(name) or {}).get("pid"))
    assert box.ssh(f"kill -9 {before}").status == 0
    after = box.wait(
        f"{name} is back",
        lambda: (p := (box.services().get(name) or {}).get("pid")) != before and p,
    )
    assert box.services()[name]["restarts"] >= 1
    assert box.ssh(f"ls -d /proc/{after}").status == 0


def test_logs_and_service_control(box: Any) -> None:
    logs = box.ssh("logs -n 50 hello")
    assert "listening on port 8000" in logs.out
    assert "Linux version" in box.ssh("logs -n 2000 kernel").out
    assert box.ssh("service stop hello").status == 0
    box.wait("hello is stopped", lambda: box.services()["hello"]["state"] == "stopped")
    assert box.ssh("service start hello").status == 0
    box.wait("hello runs", lambda: box.services()["hello"]["state"] == "running")
    assert "hello" in box.ssh("service list").out


def test_python_in_the_box(box: Any) -> None:
    r = box.ssh("python -c 'import sys, ssl, sqlite3; print(sys.version_info[:2])'")
    assert (r.status, r.out) == (0, "(3, 13)\n")


#: Strict accounting (proc_sys_vm(5)) with a limit that is wide, and with one that is spent already.
STRICT = """
trap 'echo 0 >/proc/sys/vm/overcommit_memory' EXIT
sysctl -w vm.mmap_min_addr=1048576
python -c 'import ssl; print("low addresses are free")'
sysctl -w vm.overcommit_ratio=400
sysctl -w vm.overcommit_memory=2
ls -d /perm
python -c 'bytearray(3 << 30)'
echo status $?
sysctl -w vm.overcommit_ratio=50
ls -d /perm
echo never
"""


def test_a_kernel_that_promises_no_more_memory_than_it_has(box: Any) -> None:
    """The program runs; where its share is refused, that is a message and a status."""
    done = box.ssh(STRICT)
    assert "low addresses are free\n" in done.out
    assert "/perm\nstatus 1\n" in done.out
    assert "MemoryError" in done.err
    assert done.err.endswith("sh: cannot fork: Cannot allocate memory\n")
    assert (done.out.count("/perm"), "never" in done.out, done.status) == (1, False, 2)
    assert box.ssh("cat /proc/sys/vm/overcommit_memory").out == "0\n"


def test_the_serial_console_has_a_shell(box: Any) -> None:
    box.type("\necho con''sole works\n")
    box.wait("the console answers", lambda: "console works" in box.console(), 20)


def test_nothing_of_the_host_is_in_the_image(box: Any) -> None:
    here = str(box.instance.path)
    found = box.ssh(f"grep -rlF '{here}' /etc /lib/snakeroot")
    assert (found.status, found.out) == (1, ""), "no file names the folder that it was built in"
    assert box.ssh("cat /etc/hostname").out == "hello\n"


def test_power_off_is_clean_and_perm_stays(
    make_box: Callable[..., AbstractContextManager[Any]],
) -> None:
    with make_box() as one:
        one.ready()
        one.ssh("echo kept > /perm/note")
        key = one.ssh("cat /perm/snakeroot/ssh/host_key | wc -c").out
        one.poweroff()
        assert "Power down" in one.console()
        state = subprocess.run(
            ["/usr/sbin/dumpe2fs", "-h", one.instance.output / "perm.img"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert re.search(r"Filesystem state:\s+clean$", state, re.M), "unmounted, not cut off"
        assert "needs_recovery" not in state
        again = type(one)(one.instance.path, one.netns) if one.password else None
        assert key and again
        try:
            again.ready()
            assert again.ssh("cat /perm/note").out == "kept\n"
        finally:
            again.close()


@contextlib.contextmanager
def time_server(netns: str, folder: Path) -> Iterator[None]:
    """chronyd in the box's namespace, with the host's time; it never sets a clock (-x)."""
    conf = folder / "chrony.conf"
    conf.write_text(
        "local stratum 3\nallow all\ncmdport 0\nbindaddress 127.0.0.1\n"
        f"pidfile {folder}/chronyd.pid\nbindcmdaddress /\n"
    )
    argv = ["/usr/sbin/chronyd", "-x", "-d", "-u", "root", "-f", str(conf)]
    with subprocess.Popen(
        ["ip", "netns", "exec", netns, *argv], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as server:
        try:
            yield
        finally:
            server.terminate()


def test_the_clock_is_set_by_ntp(
    make_box: Callable[..., AbstractContextManager[Any]], tmp_path: Path
) -> None:
    def ask_the_host(folder: Path) -> None:
        path = folder / "snakeroot.toml"
        path.write_text('ntp = ["10.0.2.2"]\n' + path.read_text())

    with (
        make_box(ask_the_host, ["-rtc", "base=2020-02-02T02:02:02"]) as one,
        time_server(one.netns, tmp_path),
    ):
        one.ready()
        one.wait("the clock is set", lambda: (one.services().get("ntp") or {}).get("ready"))
        assert abs(float(one.ssh("date +%s").out) - time.time()) < 5


def test_a_broken_services_file_leaves_a_box_with_a_console(
    make_box: Callable[..., AbstractContextManager[Any]],
) -> None:
    def break_it(folder: Path) -> None:
        (folder / "broken.json").write_text('{"services": {"hello": ')
        with (folder / "snakeroot.toml").open("a") as file:
            file.write('\n[files]\n"/etc/snakeroot/services.json" = "broken.json"\n')

    with make_box(break_it) as one:
        one.wait("init names the file", lambda: "/etc/snakeroot/services.json" in one.console())
        one.type("\necho al''ive\n")
        one.wait("a shell on the console", lambda: "alive" in one.console(), 20)
