"""Fetching: what is handed on is right, what is at hand is not fetched, a failing network is outlived.

Breaks when a piece is handed on unchecked, a range is fetched needlessly, or a cut loses the place.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.applets.networking.test_wget import certificate
from tests.toolbox.release.factory import (
    CREATED,
    KEY,
    KEYS,
    TARGET,
    Server,
    file_name,
    noise,
    parts,
    release,
    serve,
)
from toolbox.release import ReleaseError, channel, signed, sources
from toolbox.release.channel import Channel
from toolbox.release.fetch import (
    LOCAL,
    NETWORK,
    THERE,
    Fetch,
    Have,
    Retry,
    locate,
    open_release,
    parse_release,
)
from toolbox.release.manifest import Target
from toolbox.release.sources import FileSource, HTTPSource, PipeSource, Source

Reader = Callable[[str, int, int], bytes]
Answer = Callable[[Any], bool]

OLD = parts()
#: What a small change makes of it: some bytes more in the middle, others gone, at the end new ones.
NEW = {
    "boot": OLD["boot"],
    "root": OLD["root"][:200_000] + b"inserted" + OLD["root"][200_000:250_000] + noise(9000, 9),
}
PATH = f"/{file_name()}"


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as state:
        state.files[PATH] = release(NEW)
        yield state


class Waits:
    """Stands in for the sleep between tries, and hears what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.slept: list[float] = []
        self.retry = Retry(self.said.append, self.slept.append, tries=3)


def reader(contents: dict[str, Any]) -> Reader:
    return lambda part, offset, length: bytes(contents[part][offset : offset + length])


def have(contents: dict[str, Any], *, target: bool = False, made: bytes = b"") -> Have:
    data = made or release(contents)
    found = parse_release(data, KEYS)
    index = found.parse_index(data[len(found.head) : found.pack_at])
    return Have(index, reader(contents), target=target)


def start(source: Source, slots: list[Have], **more: Any) -> Fetch:
    found = open_release(source, KEYS, more.get("retry"))
    return Fetch(source, found, found.load_index(source, more.get("retry")), slots, **more)


def collect(fetch: Fetch) -> dict[str, bytes]:
    found: dict[str, bytes] = {"boot": b"", "root": b""}
    for piece in fetch:
        assert piece.offset == len(found[piece.part])
        found[piece.part] += piece.data
    return found


# -- where from --------------------------------------------------------------------------------------------


def test_from_a_file_a_pipe_and_a_url(tmp_path: Path, server: Server) -> None:
    data = release(NEW)
    path = tmp_path / "file"
    path.write_bytes(data)
    for source in (
        FileSource(str(path)),
        PipeSource("pipe", io.BytesIO(data)),
        HTTPSource(server.url + PATH),
    ):
        assert collect(start(source, [])) == NEW
        assert source.received == len(data), source.name
        source.close()


def test_only_what_is_missing_is_fetched(server: Server) -> None:
    source = HTTPSource(server.url + PATH)
    fetch = start(source, [have(OLD)])
    assert collect(fetch) == NEW
    assert 9000 <= fetch.needed <= 70_000
    head_and_index = fetch.release.pack_at
    assert fetch.needed <= source.received <= fetch.needed + head_and_index + signed.LONGEST
    assert sum(fetch.counts.values()) == sum(map(len, NEW.values()))
    assert fetch.counts[LOCAL] > 4 * fetch.counts[NETWORK]
    assert len(server.log) <= 3


def test_when_most_is_missing_one_request_brings_it(server: Server) -> None:
    fetch = start(HTTPSource(server.url + PATH), [])
    asked = len(server.log)
    assert collect(fetch) == NEW
    assert len(server.log) <= asked + 1


def test_a_server_without_ranges_is_read_through(server: Server) -> None:
    """It answers 200 where 206 was wanted: the same bytes, checked by the same hashes, in one request."""
    server.ranges = False
    fetch = start(HTTPSource(server.url + PATH), [have(OLD)])
    assert collect(fetch) == NEW
    assert len(server.log) == 1


def test_redirections_are_followed_once(server: Server) -> None:
    server.files["/elsewhere"] = server.files[PATH]

    def move(handler: Any) -> bool:
        if handler.path == PATH:
            handler.reply(302, b"", {"Location": "/elsewhere"})
        return bool(handler.path == PATH)

    server.answer = move
    assert collect(start(HTTPSource(server.url + PATH), [have(OLD)])) == NEW
    assert [path for path, _ in server.log].count(PATH) == 1


def test_early_hints_and_a_long_head(server: Server) -> None:
    """RFC 9110 15.2: any number of informational answers comes before the one; heads have no end of lines."""

    def answer(handler: Any) -> bool:
        handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 30)
        send = handler.end_headers

        def end_headers() -> None:
            for number in range(300):
                handler.send_header(f"X-{number}", "y")
            send()

        handler.end_headers = end_headers
        return False

    server.answer = answer
    assert collect(start(HTTPSource(server.url + PATH), [have(OLD)])) == NEW


def test_a_login_goes_to_its_own_server_and_into_no_message(server: Server) -> None:
    told: list[str] = []
    with serve() as other:
        other.files[PATH] = release(NEW)

        def hear(handler: Any) -> bool:
            told.append(handler.headers.get("Authorization", ""))
            return False

        def move(handler: Any) -> bool:
            hear(handler)
            handler.reply(302, b"", {"Location": other.url + PATH})
            return True

        server.answer, other.answer = move, hear
        source = HTTPSource(server.url.replace("//", "//me:s%40x@") + PATH)
        assert collect(start(source, [have(OLD)])) == NEW
        assert told[0] == "Basic bWU6c0B4" and not any(told[1:])
        assert source.name == server.url + PATH


def test_one_connection_brings_several_ranges(server: Server) -> None:
    peers = set()
    server.answer = lambda handler: bool(peers.add(handler.client_address))
    source = HTTPSource(server.url + PATH)
    assert collect(start(source, [have(OLD)])) == NEW
    assert len(server.log) > 1 and len(peers) == 1


def test_over_tls_from_a_server_that_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(certificate(tmp_path, "127.0.0.1")) as server:
        server.files[PATH] = release(NEW)
        waits = Waits()
        with pytest.raises(ReleaseError, match="certificate does not count: self"):
            open_release(HTTPSource(server.url + PATH), KEYS, waits.retry)
        assert waits.slept == [], "it will be the same the next time"
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        assert collect(start(HTTPSource(server.url + PATH), [have(OLD)])) == NEW


# -- what is at hand ---------------------------------------------------------------------------------------


def test_a_try_that_was_cut_off_goes_on_anywhere() -> None:
    """The slot holds the beginning of the new release, then of the old one what was not yet written over."""
    data = release(NEW)
    total = sum(map(len, NEW.values()))
    for cut in range(0, total, 37_000):
        slot = {name: bytearray(OLD[name].ljust(700_000, b"\0")) for name in OLD}
        written = 0
        for piece in start(PipeSource("first", io.BytesIO(data)), []):
            if written + piece.length > cut:
                slot[piece.part][piece.offset : piece.offset + 100] = piece.data[:100]  # torn
                break
            slot[piece.part][piece.offset : piece.offset + piece.length] = piece.data
            written += piece.length
        old = have(OLD)
        again = start(
            PipeSource("second", io.BytesIO(data)),
            [Have(old.index, reader(slot), target=True)],
            there=reader(slot),
        )
        for piece in again:
            if piece.origin != THERE:
                slot[piece.part][piece.offset : piece.offset + piece.length] = piece.data
        assert {name: bytes(slot[name][: len(NEW[name])]) for name in NEW} == NEW
        assert again.counts[THERE] >= written


def test_the_slot_that_is_written_gives_what_it_still_has(server: Server) -> None:
    """Its chunks move to the end here, so each is read before it is written over."""
    new = {"boot": NEW["boot"], "root": OLD["root"][60_000:]}
    server.files[PATH] = release(new)
    slot = {name: bytearray(OLD[name]) for name in OLD}
    old = have(OLD)
    source = HTTPSource(server.url + PATH)
    fetch = start(source, [Have(old.index, reader(slot), target=True)])
    for piece in fetch:
        slot[piece.part][piece.offset : piece.offset + piece.length] = piece.data
    assert {name: bytes(slot[name][: len(new[name])]) for name in new} == new
    assert fetch.counts[NETWORK] < 100_000


def test_a_slot_that_is_not_what_its_index_says_is_given_up(server: Server) -> None:
    reads = 0
    rotten = have(OLD)

    def read(part: str, offset: int, length: int) -> bytes:
        nonlocal reads
        reads += 1
        if offset > 300_000:
            raise OSError(5, "Input/output error")
        return bytes(length)

    fetch = start(HTTPSource(server.url + PATH), [Have(rotten.index, read)])
    assert collect(fetch) == NEW
    assert reads == 8


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 120_000), st.integers(0, 40_000), st.binary(max_size=50)),
        max_size=5,
    )
)
def test_any_change_arrives(changes: list[tuple[int, int, bytes]]) -> None:
    old = {"boot": noise(5000), "root": noise(120_000, 2)}
    root = old["root"]
    for place, length, data in changes:
        root = root[:place] + data + root[place + length :]
    new = {"boot": old["boot"], "root": root or b"x"}
    data = release(new)
    slot = {name: bytearray(old[name].ljust(130_000, b"\0")) for name in old}
    other = have(old)
    fetch = start(
        PipeSource("pipe", io.BytesIO(data)),
        [Have(other.index, reader(slot), target=True), other],
        there=reader(slot),
    )
    for piece in fetch:
        if piece.origin != THERE:
            slot[piece.part][piece.offset : piece.offset + piece.length] = piece.data
    assert {name: bytes(slot[name][: len(new[name])]) for name in new} == new


# -- a network that fails ----------------------------------------------------------------------------------


def test_a_connection_that_breaks_is_taken_up_where_it_broke(server: Server) -> None:
    waits = Waits()
    breaks = 3

    def answer(handler: Any) -> bool:
        nonlocal breaks
        first, _, last = handler.headers["Range"].removeprefix("bytes=").partition("-")
        if breaks == 0 or int(last) - int(first) < 100_000:
            return False
        breaks -= 1
        data = server.files[PATH][int(first) : int(last) + 1]
        handler.send_response(206)
        handler.send_header("Content-Length", str(len(data)))
        handler.send_header("Content-Range", f"bytes {first}-{last}/{len(server.files[PATH])}")
        handler.end_headers()
        handler.wfile.write(data[:70_000])
        handler.close_connection = True
        return True

    server.answer = answer
    source = HTTPSource(server.url + PATH)
    assert collect(start(source, [], retry=waits.retry)) == NEW
    assert breaks == 0
    assert waits.slept == [1.0] * 3, "each try got further"
    assert source.received < len(server.files[PATH]) + 3 * 70_000
    assert "trying again in 1 s" in waits.said[0]


def test_a_busy_server_is_asked_again_and_then_no_more(server: Server) -> None:
    waits = Waits()
    server.answer = lambda handler: bool(handler.reply(503, b"") or True)
    with pytest.raises(ReleaseError, match="503 Service Unavailable"):
        open_release(HTTPSource(server.url + PATH), KEYS, waits.retry)
    assert waits.slept == [1.0, 2.0]


def stall(server: Server) -> Answer:
    def answer(handler: Any) -> bool:
        server.over.wait(20)
        handler.close_connection = True
        return True

    return answer


def test_a_server_that_stalls_is_given_up(server: Server) -> None:
    waits = Waits()
    server.answer = stall(server)
    source = HTTPSource(server.url + PATH)
    source.silence = 0.05
    with pytest.raises(ReleaseError, match="has sent nothing for 0"):
        open_release(source, KEYS, waits.retry)
    assert len(server.log) == 3


def test_a_server_that_drips_is_given_up(server: Server) -> None:
    """Each read brings a byte, and each look at the clock finds it ten seconds later."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 10
        return now

    def drip(handler: Any) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            if server.over.wait(0.005):
                break
        return True

    server.answer = drip
    with pytest.raises(ReleaseError, match="less than 512 bytes a second"):
        open_release(
            HTTPSource(server.url + PATH, clock), KEYS, Retry(sleep=lambda s: None, tries=1)
        )


def test_a_head_that_drips_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SLOW_AFTER", 0.2)

    def drip(handler: Any) -> bool:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not server.over.wait(0.02):
            handler.wfile.write(b"X")
            handler.wfile.flush()
        return True

    server.answer = drip
    with pytest.raises(ReleaseError, match="has sent nothing"):
        open_release(HTTPSource(server.url + PATH), KEYS, Retry(sleep=lambda s: None, tries=1))


# -- hostile input: one clear line, and not a byte for the writer ------------------------------------------


def redirect_in_a_circle(handler: Any) -> bool:
    handler.reply(302, b"", {"Location": "/b" if handler.path != "/b" else "/a"})
    return True


def another_range(handler: Any) -> bool:
    handler.reply(206, bytes(100), {"Content-Range": "bytes 100-199/100000"})
    return True


def not_http(handler: Any) -> bool:
    handler.wfile.write(b"SSH-2.0-x\r\n")
    handler.close_connection = True
    return True


HOSTILE_SERVERS = [
    (redirect_in_a_circle, "redirected more than 5 times"),
    (another_range, "another range than was asked for"),
    (not_http, "cannot be asked"),
    (lambda h: h.reply(404, b"") or True, "404 Not Found"),
    (lambda h: h.reply(200, b"") or True, "does not begin with a signature"),
    (lambda h: h.reply(200, bytes(200_000)) or True, "does not begin with a signature"),
    (lambda h: h.reply(200, b"\n" * 200_000) or True, "does not begin with a signature"),
    (lambda h: h.reply(302, b"", {"Location": "ftp://x/y"}) or True, "no URL of http"),
    (lambda h: h.reply(302, b"", {"Location": "file:///etc/passwd"}) or True, "no URL of http"),
    (lambda h: h.reply(302, b"", {"Location": "http://["}) or True, "no URL"),
    (lambda h: h.reply(206, b"") or True, "another range"),
]


@pytest.mark.parametrize(("answer", "words"), HOSTILE_SERVERS)
def test_hostile_servers(server: Server, answer: Answer, words: str) -> None:
    server.answer = answer
    with pytest.raises(ReleaseError, match=words) as raised:
        open_release(HTTPSource(server.url + "/a"), KEYS, Retry(sleep=lambda s: None, tries=2))
    assert len(str(raised.value).splitlines()) == 1


def test_a_range_answered_with_its_bytes_as_the_whole(server: Server) -> None:
    """200 for 206, and not the whole: no hash fits, whatever is in it."""
    data = server.files[PATH]

    def answer(handler: Any) -> bool:
        first = int(handler.headers["Range"].removeprefix("bytes=").partition("-")[0])
        handler.reply(
            200 if first else 206, data[first:], {"Content-Range": f"bytes 0-{len(data) - 1}/*"}
        )
        return True

    def small(handler: Any) -> bool:
        if handler.headers.get("Range", "").startswith("bytes=0-"):
            return False
        handler.reply(200, data[-20_000:])
        return True

    for hostile, words in ((answer, "another range"), (small, "ends too early")):
        server.answer = hostile
        source = HTTPSource(server.url + PATH)
        with pytest.raises(ReleaseError, match=words):
            collect(start(source, [], retry=Retry(sleep=lambda s: None, tries=2)))


def refused(data: bytes) -> str:
    """The line with which this file is refused; it must be refused before the first piece."""
    with pytest.raises(ReleaseError) as raised:
        start(PipeSource("file", io.BytesIO(data)), [])
    assert len(str(raised.value).splitlines()) == 1
    return str(raised.value)


def bomb(index: bytes) -> bytes:
    return b"\xff" * len(index)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "does not begin with a signature"),
        (release(NEW)[release(NEW).index(b"{") :], "does not begin with a signature"),
        (release(NEW)[:-1000], ""),
        (release(NEW, index=lambda i: i[:-40]), "do not add up"),
        (release(NEW, index=lambda i: i + i[-40:]), "wrong size"),
        (release(NEW, index=lambda i: i[40:] + i[:40]), "wrong size"),
        (release(NEW, index=bomb), "wrong size"),
        (release(NEW, index=lambda i: i[:-1]), "index of"),
        (release(NEW, name="../../etc"), "name"),
        (release(NEW, version="1.2", number=1 << 40), "number"),
        (release(NEW, index=lambda i: i, pack={"size": 5, "sha256": "0" * 64}), "do not add up"),
    ],
)
def test_hostile_files(data: bytes, words: str) -> None:
    if words:
        assert words in refused(data)
    else:  # what is missing at the end shows at the end
        with pytest.raises(ReleaseError, match="ends too early"):
            collect(start(PipeSource("file", io.BytesIO(data)), []))


def test_a_truncated_index_is_refused() -> None:
    data = release(NEW)
    found = parse_release(data, KEYS)
    assert "ends too early" in refused(data[: found.pack_at - 10])


def test_a_flipped_bit_anywhere_reaches_no_writer() -> None:
    """In head and index it is refused before the first piece, in the pack before its piece."""
    data = release({"boot": b"kernel " * 20, "root": noise(100) + bytes(3000)})
    right = collect(start(PipeSource("file", io.BytesIO(data)), []))
    pack_at = parse_release(data, KEYS).pack_at
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        if place < pack_at:
            assert refused(bytes(changed))
            continue
        found: dict[str, bytes] = {"boot": b"", "root": b""}
        try:
            for piece in start(PipeSource("file", io.BytesIO(bytes(changed))), []):
                found[piece.part] += piece.data
        except ReleaseError as error:
            assert "the hash is wrong" in str(error)
        assert all(right[name].startswith(found[name]) for name in found)


# -- channels ----------------------------------------------------------------------------------------------


def publish(server: Server, **changes: Any) -> None:
    latest = Channel("stable", TARGET, "1.2", file_name(), CREATED)
    for key, value in changes.items():
        setattr(latest, key, value)
    name = channel.file_name(TARGET, "stable")
    server.files[f"/{name}"] = signed.seal(latest.encode(), KEY, CREATED, name)


def test_the_latest_release_is_found_by_url_and_in_a_folder(tmp_path: Path, server: Server) -> None:
    publish(server)
    place, latest = locate(server.url, TARGET, KEYS)
    assert (place, latest and latest.version) == (server.url + PATH, "1.2")
    for path, data in server.files.items():
        (tmp_path / path[1:]).write_bytes(data)
    place, _ = locate(f"{tmp_path}/", TARGET, KEYS)
    assert collect(start(sources.open_source(place), [])) == NEW
    place, _ = locate(str(tmp_path), TARGET, KEYS, version="1.2")
    assert Path(place).exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channel": "beta"}, "of the channel beta"),
        ({"file": "../../x"}, "file '../../x' is not allowed"),
        ({"target": Target("other", "x86_64")}, "for name other"),
    ],
)
def test_a_channel_that_leads_elsewhere_is_refused(
    server: Server, changes: dict[str, Any], words: str
) -> None:
    publish(server, **changes)
    with pytest.raises(ReleaseError, match=words):
        locate(server.url, TARGET, KEYS)
