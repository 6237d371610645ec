"""minisign's keys and signatures, held against the `minisign` program both ways.

Breaks when a byte of a format, the derivation of a key, or the order of checks is wrong.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toolbox.trust import minisign
from toolbox.trust.minisign import SecretKey, SignatureError

#: A cheap scrypt (N = 2^10), so that a test takes no second.
CHEAP = {"operations": 32768, "memory": 1 << 21}

KEY = SecretKey(bytes(range(8)), bytes(range(32)))
OTHER = SecretKey(bytes(range(8)), bytes(range(1, 33)))


def no_passphrase() -> str:
    raise AssertionError("asked for a passphrase")


def program(*words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["minisign", *map(str, words)], input=stdin, capture_output=True, text=True, check=False
    )


@pytest.fixture
def message(tmp_path: Path) -> Path:
    path = tmp_path / "message"
    path.write_bytes(b"some bytes\n" * 1000)
    return path


# -- the program and we ------------------------------------------------------------------------------------


@pytest.mark.parametrize("passphrase", ["", "pass phrase grün"])
def test_the_program_signs_with_our_key(tmp_path: Path, message: Path, passphrase: str) -> None:
    key = minisign.generate()
    secret, public = tmp_path / "key", tmp_path / "key.pub"
    secret.write_bytes(key.encode(passphrase, **CHEAP))
    public.write_bytes(key.public.encode())
    # Version 0.11 asks for a passphrase unless it is told that there is none.
    plain = [] if passphrase else ["-W"]
    done = program(
        "-S", *plain, "-s", secret, "-m", message, "-t", "words", stdin=f"{passphrase}\n"
    )
    assert done.returncode == 0, done.stderr
    signature = minisign.parse_signature(Path(f"{message}.minisig").read_bytes())
    assert minisign.verify(signature, [message.read_bytes()], [key.public]) == key.public
    assert (signature.comment, signature.algorithm) == ("words", minisign.PREHASHED)
    assert program("-V", "-p", public, "-m", message).returncode == 0


@pytest.mark.parametrize("legacy", [False, True])
def test_we_read_the_programs_keys_and_signatures(
    tmp_path: Path, message: Path, legacy: bool
) -> None:
    secret, public = tmp_path / "key", tmp_path / "key.pub"
    done = program("-G", "-W", "-s", secret, "-p", public)
    assert done.returncode == 0, done.stderr
    key = minisign.parse_secret_key(secret.read_bytes(), no_passphrase)
    assert minisign.parse_public_key(public.read_bytes()) == key.public
    # Version 0.11 shows the key's number without leading zeros.
    assert key.public.encode().split(b"\n")[1:] == public.read_bytes().split(b"\n")[1:]
    form = ["-l"] if legacy else ["-H"]
    done = program("-S", "-W", *form, "-s", secret, "-m", message)
    assert done.returncode == 0, done.stderr
    data = Path(f"{message}.minisig").read_bytes()
    signature = minisign.parse_signature(data)
    assert signature.encode() == data
    assert minisign.verify(signature, [message.read_bytes()], [key.public]) == key.public
    if legacy:
        with pytest.raises(SignatureError, match="old form"):
            minisign.verify(signature, [message.read_bytes()], [key.public], legacy=False)


def test_the_program_verifies_our_signature(tmp_path: Path, message: Path) -> None:
    signed = minisign.sign(KEY, [b"some bytes\n"] * 1000, "version 1\tärger")
    Path(f"{message}.minisig").write_bytes(signed.encode())
    done = program("-V", "-P", KEY.public.text, "-m", message)
    assert done.returncode == 0, done.stderr
    assert "version 1" in done.stdout
    message.write_bytes(message.read_bytes()[:-1])
    assert program("-V", "-P", KEY.public.text, "-m", message).returncode != 0


def test_a_key_with_the_passphrase_of_the_program(tmp_path: Path, message: Path) -> None:
    """Its own cost: N = 2^20, a second or more and up to 1 GiB."""
    secret, public = tmp_path / "key", tmp_path / "key.pub"
    done = program("-G", "-s", secret, "-p", public, stdin="secret\nsecret\n")
    assert done.returncode == 0, done.stderr
    key = minisign.parse_secret_key(secret.read_bytes(), lambda: "secret")
    assert key.public == minisign.parse_public_key(public.read_bytes())


# -- alone -------------------------------------------------------------------------------------------------


def test_what_was_changed_does_not_verify() -> None:
    signed = minisign.sign(KEY, [b"message"], "comment")
    assert minisign.verify(signed, [b"mess", b"age"], [OTHER.public, KEY.public]) == KEY.public
    with pytest.raises(SignatureError, match="does not fit"):
        minisign.verify(signed, [b"massage"], [KEY.public])
    with pytest.raises(SignatureError, match="does not fit"):
        minisign.verify(signed, [b"message"], [OTHER.public])
    with pytest.raises(SignatureError, match="0706050403020100, which is unknown"):
        minisign.verify(signed, [b"message"], [])
    signed.comment = "commend"
    with pytest.raises(SignatureError, match="trusted comment"):
        minisign.verify(signed, [b"message"], [KEY.public])


def test_every_flipped_bit_after_the_untrusted_comment_is_found() -> None:
    data = minisign.sign(KEY, [b"message"], "c").encode()
    start = data.index(b"\n") + 1
    for place in range(start, len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            with pytest.raises(SignatureError):
                signature = minisign.parse_signature(bytes(changed))
                minisign.verify(signature, [b"message"], [KEY.public])


def test_a_signature_for_one_algorithm_is_none_for_the_other() -> None:
    signed = minisign.sign(KEY, [b"message"], "")
    signed.algorithm = minisign.LEGACY
    with pytest.raises(SignatureError):
        minisign.verify(signed, [b"message"], [KEY.public])


def test_the_wrong_passphrase() -> None:
    data = KEY.encode("secret", **CHEAP)
    assert minisign.parse_secret_key(data, lambda: "secret").seed == KEY.seed
    with pytest.raises(SignatureError, match="wrong passphrase"):
        minisign.parse_secret_key(data, lambda: "Secret")


def test_a_plain_key_with_a_changed_half_is_refused() -> None:
    data = KEY.encode()
    assert minisign.parse_secret_key(data, no_passphrase).seed == KEY.seed
    mixed = SecretKey(KEY.number, KEY.seed).encode().decode()
    body = minisign._decode(mixed.split("\n")[1], 158, "")
    broken = body[:62] + bytes(32) + body[94:]
    text = f"untrusted comment: x\n{minisign._encode(broken)}\n".encode()
    with pytest.raises(SignatureError, match="halves"):
        minisign.parse_secret_key(text, no_passphrase)


def test_a_key_cannot_exhaust_the_machine() -> None:
    body = bytearray(minisign._decode(KEY.encode().decode().split("\n")[1], 158, ""))
    body[2:4] = b"Sc"
    body[38:54] = b"\xff" * 16
    text = f"untrusted comment: x\n{minisign._encode(bytes(body))}\n".encode()
    with pytest.raises(SignatureError, match="too much memory"):
        minisign.parse_secret_key(text, lambda: "x")


def test_several_public_keys_in_one_file() -> None:
    both = KEY.public.encode() + OTHER.public.encode()
    assert minisign.parse_public_keys(both) == [KEY.public, OTHER.public]
    with pytest.raises(SignatureError):
        minisign.parse_public_keys(KEY.public.encode() * 17)


@pytest.mark.parametrize("comment", ["two\nlines", "bell\a", "\x9b1m", "x" * 8192, "\udc80\0"])
def test_comments_that_minisign_refuses(comment: str) -> None:
    with pytest.raises(SignatureError, match="trusted comment"):
        minisign.sign(KEY, [b""], comment)


@given(st.binary(max_size=400))
@example(KEY.encode())
@example(minisign.sign(KEY, [b""], "").encode() + b"\n")
def test_any_bytes_are_a_key_or_a_signature_or_an_error(data: bytes) -> None:
    for parse in (minisign.parse_public_key, minisign.parse_signature):
        try:
            parse(data)
        except SignatureError:
            continue
    try:
        minisign.parse_secret_key(data, lambda: "")
    except SignatureError:
        pass


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=80))
def test_a_comment_comes_back(comment: str) -> None:
    signed = minisign.sign(KEY, [b"m"], comment)
    read = minisign.parse_signature(signed.encode())
    assert read.comment == comment
    assert minisign.verify(read, [b"m"], [KEY.public]) == KEY.public
