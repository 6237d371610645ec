"""What is signed: heads, manifests, channels.  Breaks when something is believed that was not signed, or not bounded."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toolbox.release.factory import CREATED, FOREIGN, KEY, KEYS, NEXT, TARGET, release
from toolbox.release import ReleaseError, channel, manifest, signed
from toolbox.release.channel import Channel
from toolbox.release.fetch import Box, check, parse_release
from toolbox.release.manifest import Blob, Manifest, Target
from toolbox.trust import minisign

MESSAGE = {"type": "a test", "text": "line\nfeed", "number": 7}


def seal(message: dict[str, Any] = MESSAGE, key: minisign.SecretKey = KEY) -> bytes:
    return signed.seal(message, key, CREATED, "name")


def test_what_is_sealed_is_unsealed() -> None:
    for key in (KEY, NEXT):
        line, signer = signed.unseal(seal(key=key), KEYS)
        assert signed.parse(line) == MESSAGE
        assert signer == key.public
    assert seal() == seal()


def test_fields_of_the_comment() -> None:
    head = signed.seal(MESSAGE, KEY, CREATED, "name", {"mounts": "quota,casefold", "empty": ""})
    assert signed.parse(signed.unseal(head, KEYS)[0]) == MESSAGE
    found = {name: signed.field(head, name) for name in ("file", "mounts", "empty", "mount", "")}
    assert found == {"file": "name", "mounts": "quota,casefold", "empty": "", "mount": "", "": ""}
    assert signed.field(seal(), "mounts") == ""


def test_every_flipped_bit_of_a_head_is_found() -> None:
    data = signed.seal(MESSAGE, KEY, CREATED, "name", {"mounts": "quota"})
    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            with pytest.raises(ReleaseError):
                head, _ = signed.split(bytes(changed))
                signed.unseal(head, KEYS)


def test_other_keys_do_not_count() -> None:
    with pytest.raises(ReleaseError, match="does not fit"):
        signed.unseal(seal(key=FOREIGN), KEYS)
    with pytest.raises(ReleaseError, match="is unknown"):
        signed.unseal(seal(), [NEXT.public])


def test_minisign_checks_a_head_and_makes_one(tmp_path: Path) -> None:
    """The fifth line is the message, the first four are its signature."""
    path, secret = tmp_path / "message", tmp_path / "key"
    lines = seal().splitlines(keepends=True)
    path.write_bytes(lines[4])
    Path(f"{path}.minisig").write_bytes(b"".join(lines[:4]))
    check = ["minisign", "-V", "-P", KEY.public.text, "-m", path]
    assert subprocess.run(check, capture_output=True).returncode == 0
    secret.write_bytes(KEY.encode())
    sign = ["minisign", "-S", "-W", "-s", secret, "-m", path]
    assert subprocess.run(sign, capture_output=True).returncode == 0
    head = signed.attach(Path(f"{path}.minisig").read_bytes(), path.read_bytes())
    assert signed.parse(signed.unseal(head, KEYS)[0]) == MESSAGE


def test_the_old_form_of_signature_does_not_count(tmp_path: Path) -> None:
    path, secret = tmp_path / "message", tmp_path / "key"
    path.write_bytes(signed.encode(MESSAGE))
    secret.write_bytes(KEY.encode())
    subprocess.run(["minisign", "-S", "-W", "-l", "-s", secret, "-m", path], check=True)
    head = signed.attach(Path(f"{path}.minisig").read_bytes(), path.read_bytes())
    with pytest.raises(ReleaseError, match="old form"):
        signed.unseal(head, KEYS)


def test_a_head_is_bounded() -> None:
    asked: list[int] = []

    def endless(size: int) -> bytes:
        asked.append(size)
        return b"x" * size

    data = signed.read_head(endless)
    assert len(data) == sum(asked) == signed.LONGEST
    with pytest.raises(ReleaseError):
        signed.split(data)
    with pytest.raises(ReleaseError, match="at most"):
        seal({"notes": "x" * (1 << 16)})


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"[]", b"1", b'{"a":1,"a":1}', b'{"a":1.0}', b'{"a":NaN}', b'{"a":1e3}'),
        *(b'{"a":' + b"9" * 19 + b"}", b"[" * 60_000, b'{"a":' * 10_000, b"\xff", b'{"a":1} x'),
    ],
)
def test_loose_json_is_refused(line: bytes) -> None:
    with pytest.raises(ReleaseError):
        signed.parse(line)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_head_or_an_error(data: bytes) -> None:
    with pytest.raises(ReleaseError):
        signed.unseal(data, KEYS)
    try:
        signed.parse(data)
    except ReleaseError:
        pass


# -- manifests ---------------------------------------------------------------------------------------------

HASH = "0123456789abcdef" * 4
GOOD = Manifest(
    TARGET,
    "1.2~rc1",
    7,
    CREATED,
    {"boot": Blob(1, HASH), "root": Blob(2, HASH)},
    Blob(80, HASH),
    Blob(3, HASH),
    "1.0",
    "Line one\nline two",
).encode()


def test_a_manifest_comes_back() -> None:
    assert manifest.decode(json.loads(json.dumps(GOOD))).encode() == GOOD
    assert manifest.decode(GOOD).file == "hello-pc-x86_64-1.2~rc1.release"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("type", t) for t in ("snakeroot channel", None, 1, [])),
        *(("format", f) for f in (2, "1", None)),
        *(
            (k, v)
            for k in ("name", "board")
            for v in ("../x", "a/b", "", "A", "x" * 64, "a\n", 1, ".")
        ),
        *(("architecture", v) for v in ("x86 64", None)),
        *(("version", v) for v in ("", "v1", "1..2", "1/2", "1" * 33, "1.2-rc1", "../1", "1\n", 1)),
        *(("floor", v) for v in ("9", "", None)),
        *(("number", v) for v in (0, -1, 1 << 31, True, "1", None)),
        *(("created", v) for v in (-1, 1 << 60, None)),
        *(("notes", v) for v in (None, 1, "x" * 40_000)),
        *(("parts", v) for v in ({}, None, [], {**GOOD["parts"], "../x": GOOD["pack"]})),
        ("parts", {**GOOD["parts"], "root": {"size": 1 << 40, "sha256": HASH}}),
        ("parts", {**GOOD["parts"], "root": {"size": 0, "sha256": HASH}}),
        ("parts", {**GOOD["parts"], "root": {"size": 1, "sha256": HASH.upper()}}),
        ("parts", {**GOOD["parts"], "root": {"size": 1, "sha256": HASH, "more": 1}}),
        *(
            ("index", {"size": s, "sha256": HASH})
            for s in (81, 0, 40 << 16 | 40 << 3, 1 << 50, "80")
        ),
        *(("pack", v) for v in ({"size": 1}, {"size": 1, "sha256": "x"}, "")),
        ("more", 1),
    ],
)
def test_a_manifest_with_a_wrong_field_is_refused_in_one_line(key: str, value: Any) -> None:
    with pytest.raises(ReleaseError) as raised:
        manifest.decode({**GOOD, key: value})
    text = str(raised.value)
    assert len(text.splitlines()) == 1
    assert len(text) < 200


@pytest.mark.parametrize("key", sorted(GOOD))
def test_no_field_may_be_missing(key: str) -> None:
    with pytest.raises(ReleaseError):
        manifest.decode({k: v for k, v in GOOD.items() if k != key})


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=80)
    | st.sampled_from([HASH, "1.2"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "more", "percent"]), values, max_size=4))
def test_any_message_is_a_manifest_or_an_error(changes: dict[str, Any]) -> None:
    for decode in (manifest.decode, channel.decode):
        try:
            decode({**GOOD, **changes})
        except ReleaseError:
            continue


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("1.9", "1.10"),
        ("1.2~rc2", "1.2"),
        ("1.2~rc2", "1.2~rc10"),
        ("1.2", "1.2.1"),
        ("1.2", "1.2a"),
    ],
)
def test_versions_in_order(lower: str, higher: str) -> None:
    assert manifest.VERSION.fullmatch(lower)
    assert manifest.VERSION.fullmatch(higher)
    assert manifest.compare(lower, higher) == -manifest.compare(higher, lower) == -1
    assert manifest.compare(lower, lower) == 0


# -- for which box -----------------------------------------------------------------------------------------


def opened(**changes: Any) -> Manifest:
    changes.setdefault("contents", {"boot": b"x" * 512, "root": b"y" * 599_552})
    return parse_release(release(**changes), KEYS).manifest


@pytest.mark.parametrize(
    ("box", "words"),
    [
        (Box(Target("hello", "aarch64", "pc")), "for architecture x86_64"),
        (Box(Target("hello", "x86_64", "router")), "for board pc"),
        (Box(Target("other", "x86_64", "pc")), "for name hello"),
        (Box(TARGET, room={"root": 1 << 20}), "no whole sectors"),
        (Box(TARGET, "1.3"), "older than 1.3"),
        (Box(TARGET, "1.3", "1.2.1"), "below 1.2.1"),
        (Box(TARGET, "1.1", "1.0", {"root": 500_000}), "root has 599552 bytes"),
    ],
)
def test_a_release_for_another_box_is_refused(box: Box, words: str) -> None:
    odd = {"boot": b"x", "root": b"x" * 513}
    with pytest.raises(ReleaseError, match=words):
        check(opened(contents=odd) if "sectors" in words else opened(), box)


def test_a_downgrade_needs_a_word_and_stays_above_the_floor() -> None:
    check(opened(), Box(TARGET, "1.1"))
    check(opened(), Box(TARGET, "1.2"))
    check(opened(), Box(TARGET, "1.3", "1.0"), downgrade=True)
    with pytest.raises(ReleaseError, match="below"):
        check(opened(), Box(TARGET, "1.3", "1.3"), downgrade=True)


def test_a_channel_file_is_no_release() -> None:
    data = signed.seal(CHANNEL.encode(), KEY, CREATED, "x")
    with pytest.raises(ReleaseError, match="not as a snakeroot release"):
        parse_release(data, KEYS)


# -- channels ----------------------------------------------------------------------------------------------

CHANNEL = Channel("stable", TARGET, "1.2", "hello-pc-x86_64-1.2.release", CREATED, 30, "salt")


def test_a_channel_comes_back() -> None:
    assert channel.decode(CHANNEL.encode()).encode() == CHANNEL.encode()
    assert channel.file_name(TARGET) == "hello-pc-x86_64-stable.latest"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(
            ("file", v)
            for v in ("../x", "/etc/passwd", "a/b", "..", ".x", "", "x" * 201, "a\0", "a b")
        ),
        *(("file", v) for v in ("http://elsewhere/x", "%2e%2e", 1, None)),
        *(("percent", v) for v in (-1, 101, "50", 50.0, True)),
        *(("salt", v) for v in ("x" * 65, "a|b", None)),
        *(("channel", v) for v in ("../stable", "")),
    ],
)
def test_a_channel_with_a_wrong_field_is_refused(key: str, value: Any) -> None:
    with pytest.raises(ReleaseError):
        channel.decode({**CHANNEL.encode(), key: value})


def test_a_rollout_reaches_its_share_and_only_grows() -> None:
    boxes = [f"box-{n}" for n in range(2000)]
    before: set[str] = set()
    rollout = channel.decode(CHANNEL.encode())
    for percent in (0, 1, 10, 50, 99, 100):
        rollout.percent = percent
        now = {box for box in boxes if rollout.includes(box)}
        assert before <= now
        assert abs(len(now) - 20 * percent) <= 100
        before = now
    assert len(before) == 2000
    assert channel.place("one", "box") != channel.place("two", "box")
