"""nslookup against dnsmasq, and against servers that lie.  Breaks when records, search or statuses change."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.lab.network import Lab, Namespace

pytestmark = pytest.mark.lab

RECORDS = (
    *("--address=/a.test/10.1.2.3", "--address=/a.test/fd00::1", "--mx-host=m.test,mail.test,5"),
    *(
        '--txt-record=t.test,hello,wo"rld',
        "--srv-host=_s._tcp.test,h.test,80",
        "--cname=c.test,x.test",
    ),
    *("--host-record=x.test,10.9.9.9", "--ptr-record=3.2.1.10.in-addr.arpa,back.test"),
    "--local=/test/",
)


@pytest.fixture
def space(lab: Lab) -> Namespace:
    return lab.namespace()


@pytest.fixture
def nslookup(space, toolbox_argv, toolbox_env) -> Callable[..., tuple[int, str, str]]:
    def call(*words: str) -> tuple[int, str, str]:
        done = space.run([*toolbox_argv, "nslookup", *words], env=toolbox_env)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    return call


@pytest.fixture
def server(space) -> None:
    words = ["dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--listen-address=127.0.0.1"]
    space.start([*words, "--bind-interfaces", *RECORDS]).wait_for("started")


HEAD = "Server:\t\t127.0.0.1\nAddress:\t127.0.0.1#53\n\n"


@pytest.mark.parametrize(
    ("words", "status", "out"),
    [
        (["a.test"], 0, HEAD + "Name:\ta.test\nAddress: 10.1.2.3\nName:\ta.test\nAddress: fd00::1\n\n"),
        (["-type=aaaa", "a.test"], 0, HEAD + "Name:\ta.test\nAddress: fd00::1\n\n"),
        (["-q=mx", "m.test"], 0, HEAD + "m.test\tmail exchanger = 5 mail.test.\n\n"),
        (["-query=TXT", "t.test"], 0, HEAD + 't.test\ttext = "hello" "wo\\"rld"\n\n'),
        (["-type=srv", "_s._tcp.test"], 0, HEAD + "_s._tcp.test\tservice = 0 0 80 h.test.\n\n"),
        (["c.test"], 0, HEAD + "c.test\tcanonical name = x.test.\nName:\tx.test\nAddress: 10.9.9.9\n\n"),
        (["10.1.2.3"], 0, "3.2.1.10.in-addr.arpa\tname = back.test.\n\n"),
        (["-vc", "x.test"], 0, HEAD + "Name:\tx.test\nAddress: 10.9.9.9\n\n"),
        (["-domain=test", "x"], 0, HEAD + "Name:\tx.test\nAddress: 10.9.9.9\n\n"),
        (["-nosearch", "-domain=test", "-type=a", "x.none.test"], 1, HEAD + "** server can't find x.none.test: NXDOMAIN\n\n"),
        (["-type=soa", "test"], 1, HEAD + "*** Can't find test: No answer\n\n"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)  # fmt: skip
def test_answers(server, nslookup, words, status, out) -> None:
    assert nslookup(*words, "127.0.0.1") == (status, out, "")


def test_commands_are_read(server, space, toolbox_argv, toolbox_env) -> None:
    done = subprocess.run(
        space.argv(*toolbox_argv, "nslookup", "-", "127.0.0.1"),
        input=b"x.test\nset type=txt\nt.test\nset nonsense\nexit\n",
        env=toolbox_env,
        capture_output=True,
        timeout=30,
    )
    assert b"Address: 10.9.9.9" in done.stdout
    assert b'text = "hello"' in done.stdout
    assert b"invalid option: nonsense" in done.stdout


def test_nobody_answers(nslookup) -> None:
    status, out, _ = nslookup("-timeout=1", "-retry=1", "a.test", "127.0.0.1")
    assert (status, out) == (1, ";; connection timed out; no servers could be reached\n\n")


LIAR = """
import socket
from dnslib import A, DNSRecord, QTYPE, RR
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    data, peer = s.recvfrom(512)
    forged = DNSRecord.parse(data).reply()
    forged.add_answer(RR(forged.q.qname, QTYPE.A, rdata=A("6.6.6.6"), ttl=1))
    forged.header.id ^= 1
    for lie in (b"", b"x", data, data[:11], data[:2] + b"\\xff" * 40, forged.pack()):
        s.sendto(lie, peer)
    true = DNSRecord.parse(data).reply()
    if true.q.qtype == QTYPE.A:
        true.add_answer(RR(true.q.qname, QTYPE.A, rdata=A("10.1.1.1"), ttl=1))
    s.sendto(true.pack(), peer)
"""


def test_lies_are_not_believed(space, nslookup) -> None:
    space.start([sys.executable, "-c", LIAR]).wait_for("ready")
    status, out, err = nslookup("a.test", "127.0.0.1")
    assert (status, err) == (0, "")
    assert "10.1.1.1" in out
    assert "6.6.6.6" not in out


@pytest.mark.parametrize(
    "words", [["-type=foo", "a"], ["-port=0", "a"], ["-nonsense", "a"], ["a", "b", "c"]]
)
def test_wrong_words(nslookup, words) -> None:
    status, out, err = nslookup(*words)
    assert (status, out) == (1, "")
    assert err.startswith("nslookup: ")
