"""DNS messages and resolv.conf.  Breaks when a forged or broken reply is believed, or a name is asked wrongly."""

from __future__ import annotations

import pytest
from dnslib import QTYPE, RR, A, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from toolbox.net import ProtocolError, dns


def reply(packet: bytes) -> DNSRecord:
    made = DNSRecord.parse(packet).reply()
    made.add_answer(RR(made.q.qname, QTYPE.A, rdata=A("10.0.0.1"), ttl=5))
    return made


def test_question_and_answer() -> None:
    identity, packet = dns.question("example.org", "A")
    record = dns.answer(reply(packet).pack(), identity, packet)
    assert str(record.rr[0].rdata) == "10.0.0.1"
    asked = DNSRecord.parse(packet)
    assert (str(asked.q.qname), asked.q.qtype, asked.header.rd) == ("example.org.", 1, 1)


@pytest.mark.parametrize(
    ("name", "kind", "number"), [("x.test", "MX", 15), ("x.test.", "TYPE65", 65), (".", "NS", 2)]
)
def test_kinds(name, kind, number) -> None:
    asked = DNSRecord.parse(dns.question(name, kind)[1])
    assert asked.q.qtype == number


@pytest.mark.parametrize("name", ["a..b", "x" * 64, ""])
def test_names_that_are_none(name) -> None:
    with pytest.raises(ValueError):
        dns.question(name, "A")


def test_replies_to_others_are_refused() -> None:
    identity, packet = dns.question("example.org", "A")
    good = reply(packet).pack()
    other = reply(dns.question("example.com", "A")[1])
    other.header.id = identity
    for wrong in (good, other.pack(), packet):
        with pytest.raises(ProtocolError):
            dns.answer(wrong, identity if wrong is not good else identity ^ 1, packet)


@given(st.binary(max_size=100), st.integers(0, 60))
def test_no_reply_does_harm(noise, cut) -> None:
    identity, packet = dns.question("example.org", "A")
    for data in (noise, reply(packet).pack()[:cut] + noise):
        try:
            dns.answer(data, identity, packet)
        except ProtocolError:
            pass


@pytest.mark.parametrize(
    ("name", "ndots", "expected"),
    [
        ("host", 1, ["host.a.test", "host.b.test", "host"]),
        ("host.x", 1, ["host.x", "host.x.a.test", "host.x.b.test"]),
        ("host.", 1, ["host."]),
        ("host.x", 2, ["host.x.a.test", "host.x.b.test", "host.x"]),
    ],
)
def test_search(name, ndots, expected) -> None:
    assert dns.candidates(name, ["a.test", "b.test."], ndots) == expected


def test_resolv_conf() -> None:
    found = dns.parse_configuration(
        "# c\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nsearch a b\noptions ndots:3 timeout:99 rotate\nx\n"
    )
    assert found.servers == ["10.0.0.1", "fe80::1%eth0"]
    assert (found.search, found.ndots, found.timeout, found.attempts) == (["a", "b"], 3, 30, 2)
    assert dns.parse_configuration("domain d e\n").search == ["d"]


def test_reverse_names() -> None:
    assert dns.reverse_name("10.1.2.3") == "3.2.1.10.in-addr.arpa"
    assert str(dns.reverse_name("fe80::1%eth0")).endswith(".8.e.f.ip6.arpa")
    assert dns.reverse_name("example.org") is None
