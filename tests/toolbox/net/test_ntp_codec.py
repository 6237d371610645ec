"""NTP's rules for a client.  Breaks when a forged, unsynchronised or unkind answer is believed, when a
date falls into the wrong era, or when the arithmetic of offsets or of the majority is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.ntp import NTPHeader

from toolbox.net import ProtocolError, ntp

COOKIE = bytes(range(1, 9))
NOW = 1_795_000_000.0


def stamp(unix: float) -> float:
    """Scapy's form of a time: seconds since 1900, modulo the era."""
    return (unix + ntp.UNIX_EPOCH) % ntp.ERA


def answer(**fields: object) -> bytes:
    """What a good server says at NOW, but for `fields`."""
    usual: dict[str, object] = {
        "leap": 0,
        "version": 4,
        "mode": 4,
        "stratum": 2,
        "delay": 0.01,
        "dispersion": 0.02,
        "orig": int.from_bytes(COOKIE, "big") / 2**32,
        "recv": stamp(NOW),
        "sent": stamp(NOW + 0.001),
    }
    data = bytearray(bytes(NTPHeader(**{**usual, **fields})))
    if "orig" not in fields:
        data[24:32] = COOKIE  # scapy goes through a float
    return bytes(data)


def test_request_is_what_scapy_reads() -> None:
    packet = NTPHeader(ntp.request(COOKIE))
    assert (packet.leap, packet.version, packet.mode, packet.stratum) == (0, 4, 3, 0)
    data = ntp.request(COOKIE)
    assert len(data) == 48
    assert data[40:] == COOKIE
    assert not any(data[1:40])  # says nothing about us


def test_good_answer() -> None:
    reply = ntp.read_reply(answer(), COOKIE, NOW - 86400)
    assert reply.received == pytest.approx(NOW, abs=1e-5)
    assert reply.sent == pytest.approx(NOW + 0.001, abs=1e-5)
    assert reply.stratum == 2
    assert reply.distance == pytest.approx(0.025, abs=1e-3)


def test_extension_fields_are_no_obstacle() -> None:
    ntp.read_reply(answer() + bytes(400), COOKIE, NOW - 86400)


REFUSED = [
    ({"mode": 3}, "server"),
    ({"mode": 5}, "server"),
    ({"version": 0}, "server"),
    ({"version": 7}, "server"),
    ({"orig": 1.0}, "our request"),
    ({"orig": 0.0}, "our request"),
    ({"leap": 3}, "not set"),
    ({"stratum": 16}, "not set"),
    ({"stratum": 255}, "not set"),
    ({"dispersion": 2.0}, "wrong by"),
    ({"delay": 4.0}, "wrong by"),
    ({"recv": 0.0}, "missing"),
    ({"sent": 0.0}, "missing"),
    ({"sent": stamp(NOW - 5)}, "before it was asked"),
    ({"recv": stamp(NOW - 2e8), "sent": stamp(NOW - 2e8)}, "before this release"),
]


@pytest.mark.parametrize(("fields", "why"), REFUSED)
def test_refused(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        ntp.read_reply(answer(**fields), COOKIE, NOW - 86400)


@pytest.mark.parametrize("code", ["RATE", "DENY", "RSTR", "X"])
def test_kiss_of_death(code: str) -> None:
    data = bytearray(answer(stratum=0, leap=3))
    data[12:16] = code.encode().ljust(4, b"\0")
    with pytest.raises(ntp.KissOfDeath) as caught:
        ntp.read_reply(bytes(data), COOKIE, NOW)
    assert caught.value.code == code
    with pytest.raises(ProtocolError, match="our request"):  # a forged one is not obeyed
        ntp.read_reply(bytes(data), b"otherone", NOW)


@given(st.binary(max_size=100))
def test_junk_is_one_error(data: bytes) -> None:
    for junk in (data, b"\x24\x02" + data, answer()[: len(data)]):
        try:
            ntp.read_reply(junk, COOKIE, NOW)
        except ProtocolError:
            pass


@pytest.mark.parametrize(
    "unix",
    [
        NOW,
        2_085_978_495.0,  # 7 February 2036, the last second of the first era
        2_085_978_497.0,
        2_147_483_648.0,  # 2038
        NOW + 60 * 365.25 * 86400,
    ],
)
def test_era(unix: float) -> None:
    assert ntp.unix_time(stamp(unix), NOW) == pytest.approx(unix, abs=1e-6)
    reply = ntp.read_reply(answer(recv=stamp(unix), sent=stamp(unix)), COOKIE, NOW - 86400)
    assert reply.sent == pytest.approx(unix, abs=1e-5)


@given(
    st.floats(-1e6, 1e6),
    st.floats(0, 2),
    st.floats(0, 2),
    st.floats(0, 0.5),
)
def test_measure(offset: float, out: float, back: float, work: float) -> None:
    """Our clock is `offset` behind; the ways take `out` and `back`: the offset is found to within the
    half of their difference, and the error bound says so."""
    reply = ntp.Reply(NOW + out, NOW + out + work, 1, 0.0)
    sample = ntp.measure(reply, out + work + back, NOW - offset + out + work + back)
    assert sample.delay == pytest.approx(out + back, abs=1e-5)
    assert abs(sample.offset - offset) <= sample.error + 1e-5


def test_impossible_delay_is_refused() -> None:
    with pytest.raises(ProtocolError):
        ntp.measure(ntp.Reply(NOW, NOW + 5, 1, 0.0), 1.0, NOW)


def samples(*values: tuple[float, float]) -> list[ntp.Sample]:
    return [ntp.Sample(offset, 0.01, error) for offset, error in values]


AGREE = [
    ([], None),
    ([(5.0, 0.1)], 5.0),
    ([(1.0, 0.1), (1.1, 0.1)], 1.05),
    ([(1.0, 0.1), (2.0, 0.1)], None),  # whom to believe?
    ([(1.0, 0.1), (1.05, 0.1), (99.0, 0.1)], 1.025),
    ([(1.0, 0.1), (1.05, 0.1), (1.1, 0.1), (-50.0, 0.1), (70.0, 0.1)], 1.05),
    ([(1.0, 0.1), (1.05, 0.1), (9.0, 0.1), (9.05, 0.1)], None),
    ([(1.0, 0.1), (1.05, 0.1), (9.0, 100.0)], 1.05),  # vague, but not contradicting
]


@pytest.mark.parametrize(("claims", "offset"), AGREE)
def test_agree(claims: list[tuple[float, float]], offset: float | None) -> None:
    found = ntp.agree(samples(*claims))
    assert (found.offset if found else None) == (None if offset is None else pytest.approx(offset))


@given(
    st.lists(st.floats(-0.05, 0.05), min_size=1, max_size=5),
    st.lists(st.floats(-1e9, 1e9).filter(lambda x: abs(x) > 1), max_size=4),
)
def test_a_minority_of_liars_changes_little(honest: list[float], liars: list[float]) -> None:
    liars = liars[: len(honest) - 1]
    found = ntp.agree(samples(*[(o, 0.1) for o in honest], *[(o, 0.1) for o in liars]))
    assert found is not None and abs(found.offset) <= 0.25
