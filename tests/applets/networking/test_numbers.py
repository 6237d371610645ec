"""Numbers and texts that no sane caller gives to the network applets: an answer in words, never a traceback.

Breaks when a number of any length, a digit of another script, or bytes that are no text reach a conversion or a
system call that does not take them.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

LONG = "9" * 5000
ODD = [LONG, "9" * 30, "99999999999", "-1", "nan", "inf", "1e400", "", "٣", b"\xff", "0x10"]
IDS = ["5000", "30", "11", "minus", "nan", "inf", "1e400", "empty", "arabic", "bytes", "hex"]


@pytest.mark.parametrize(
    "words",
    [
        "wget --retry-on-http-error=X -Y off http://127.0.0.1:1/",
        "wget --bind-address=X -t1 -Y off http://127.0.0.1:1/",
        "wget --method=X -t1 -Y off http://127.0.0.1:1/",
        "wget -t1 -Y off http://127.0.0.1:X/",
        "nslookup -type=X -timeout=1 -retry=1 -port=9 localhost 127.0.0.1",
        "nslookup -port=X localhost 127.0.0.1",
        "nslookup -timeout=X -port=9 -retry=1 localhost 127.0.0.1x",
        "dhcp -n -O X nosuch0",
        "dhcp -n -x X:00 nosuch0",
        "dhcp -n -r X nosuch0",
        "ntp -n -q -t 0.1 X",
        "ip addr add 10.0.0.1/X dev nosuch0",
        "ip addr add fe80::X/64 dev nosuch0",
        "ip link set nosuch0 netns X",
        "ip route get X",
    ],
)
@pytest.mark.parametrize("odd", ODD, ids=IDS)
def test_an_answer_in_words(run: Callable[..., object], words: str, odd: str | bytes) -> None:
    raw = odd if isinstance(odd, bytes) else odd.encode()
    done = run(*(word.encode().replace(b"X", raw) for word in words.split()))
    assert done.status in range(1, 256)  # type: ignore[attr-defined]
    assert done.err or done.out  # type: ignore[attr-defined]
    assert b"Traceback" not in done.err  # type: ignore[attr-defined]


@pytest.mark.parametrize("words", ["ntp -n -q --port=X 127.0.0.1", "dhcp -n --metric=X nosuch0"])
@pytest.mark.parametrize("number", ["65536000000000", "-1", "99999999999"])
def test_numbers_have_bounds(run: Callable[..., object], words: str, number: str) -> None:
    done = run(*words.replace("X", number).split())
    assert done.status == 1  # type: ignore[attr-defined]
    assert b": invalid " in done.err  # type: ignore[attr-defined]
