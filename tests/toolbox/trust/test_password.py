"""Password hashes.  Breaks when the stored form, its limits or the comparison change."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.trust.password import hash_password, parse, read_password_file, verify_password


def test_round_trip_and_form() -> None:
    stored = hash_password("geheim")
    assert stored.startswith("$scrypt$ln=14,r=8,p=1$") and "=" not in stored.rpartition("p=1")[2]
    assert verify_password("geheim", stored)
    assert verify_password("geheim", stored + "\n")
    assert not verify_password("Geheim", stored)
    assert not verify_password("", stored)
    assert hash_password("geheim") != stored, "the salt must be random"


def test_known_answer() -> None:
    """Any implementation of scrypt makes the same hash."""
    salt = b"sodiumchloride"
    digest = hashlib.scrypt(b"p\xc3\xa4ss", salt=salt, n=16384, r=8, p=1, dklen=32)
    form = parse(hash_password("päss", salt))
    assert (form.cost, form.block, form.parallel, form.salt) == (14, 8, 1, salt)
    assert form.digest == digest


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "geheim",
        "$1$abc$def",
        "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0$",
        "$scrypt$ln=14,r=8$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
        "$scrypt$ln=14,r=8,p=1,x=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
        "$scrypt$ln=0,r=8,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
        "$scrypt$ln=22,r=8,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",  # 4 GB
        "$scrypt$ln=1,r=8,p=99$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
        "$scrypt$ln=-1,r=8,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
        "$scrypt$ln=14,r=8,p=1$c2FsdA$aGFzaGhhc2hoYXNoaGFzaA",  # salt of four bytes
        "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0$aGFzaA",  # hash of four bytes
        "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA==",
        "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0$?Fzä",
    ],
)
def test_malformed_hashes_are_errors(stored: str) -> None:
    with pytest.raises(ValueError):
        verify_password("geheim", stored)


@given(st.text())
def test_any_text_is_a_hash_or_a_value_error(text: str) -> None:
    try:
        parse(text)
    except ValueError:
        pass


def test_limits() -> None:
    with pytest.raises(ValueError):
        hash_password("")
    with pytest.raises(ValueError):
        hash_password("x" * 1025)
    assert not verify_password("x" * 100_000, hash_password("geheim"))


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    with pytest.raises(FileNotFoundError):
        read_password_file(str(path))
    path.write_text("geheim\n")
    with pytest.raises(ValueError, match="password: not a password hash"):
        read_password_file(str(path))
    path.write_bytes(b"\xff\xfe\0")
    with pytest.raises(ValueError):
        read_password_file(str(path))
    stored = hash_password("geheim")
    path.write_text(f"{stored}\n")
    assert read_password_file(str(path)) == stored
