"""Keys and signatures of minisign: what it makes is read here, and what is made here it reads.

A signature is Ed25519 (RFC 8032) over the BLAKE2b-512 hash of the message (algorithm "ED"), or in old files
over the message itself ("Ed"); a second one covers the first and a trusted comment.  Keys and signatures are
short texts: an untrusted comment that nothing vouches for, then base64.  The formats are those of
minisign(1) and its source; https://jedisct1.github.io/minisign/ has them in short.

    public key        "Ed" | number[8] | key[32]
    signature         "ED" or "Ed" | number[8] | signature[64], and below the trusted comment, signature[64]
    secret key        "Ed" | "Sc" or 0 0 | "B2" | salt[32] | operations u64 | memory u64 | blob[104]
    blob              number[8] | seed[32] | key[32] | check[32], XORed with scrypt's output under "Sc"
"""

from __future__ import annotations

import binascii
import hashlib
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PREHASHED, LEGACY = b"ED", b"Ed"

UNTRUSTED = "untrusted comment: "
TRUSTED = "trusted comment: "

#: No line of a valid file is longer, in bytes (minisign's COMMENTMAXBYTES and TRUSTEDCOMMENTMAXBYTES).
LONGEST_COMMENT, LONGEST_TRUSTED = 1024, 8192

#: No signature file is longer, in bytes.
LONGEST = LONGEST_COMMENT + LONGEST_TRUSTED + 256

#: What scrypt costs for a new key, as minisign has it: operations and bytes of memory.
OPERATIONS, MEMORY = 1 << 25, 1 << 30

#: The most memory that reading a key may cost, in bytes: twice what minisign asks for.
MOST_MEMORY = 1 << 31

_SECRET = struct.Struct("<2s2s2s32sQQ104s")


class SignatureError(ValueError):
    """A key or signature that is malformed, or does not fit; the text says what, without a file's name."""


class PublicKey:
    """number: 8 bytes that tell keys apart, in the file's order    key: the 32 bytes of Ed25519"""

    __slots__ = ("key", "number")

    def __init__(self, number: bytes, key: bytes) -> None:
        self.number = number
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and (self.number, self.key) == (other.number, other.key)

    def __hash__(self) -> int:
        return hash((self.number, self.key))

    @property
    def name(self) -> str:
        """The number as minisign shows it: 16 hexadecimal digits."""
        return key_name(self.number)

    @property
    def text(self) -> str:
        """The key in one line of base64, as `minisign -P` takes it."""
        return _encode(LEGACY + self.number + self.key)

    def encode(self) -> bytes:
        """The key as a file."""
        return f"{UNTRUSTED}minisign public key {self.name}\n{self.text}\n".encode()


class SecretKey:
    """number: as of its public key    seed: the 32 bytes that Ed25519's private key is"""

    __slots__ = ("number", "seed")

    def __init__(self, number: bytes, seed: bytes) -> None:
        self.number = number
        self.seed = seed

    @property
    def public(self) -> PublicKey:
        """The public key of this one."""
        return PublicKey(self.number, self._private().public_key().public_bytes_raw())

    def _private(self) -> Ed25519PrivateKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.seed)

    def sign(self, data: bytes) -> bytes:
        """The Ed25519 signature of `data`: 64 bytes."""
        return self._private().sign(data)

    def encode(
        self, passphrase: str = "", operations: int = OPERATIONS, memory: int = MEMORY
    ) -> bytes:
        """The key as a file; without a passphrase it is plain.

        operations, memory: the cost of trying one passphrase, as libsodium counts it.
        """
        blob = self.number + self.seed + self.public.key
        check = hashlib.blake2b(LEGACY + blob, digest_size=32).digest()
        if passphrase:
            salt = os.urandom(32)
            stream = _scrypt(passphrase, salt, operations, memory)
            fields = (b"Sc", b"B2", salt, operations, memory, _xor(blob + check, stream))
        else:
            fields = (bytes(2), b"B2", bytes(32), 0, 0, blob + bytes(32))
        kind = "encrypted secret key" if passphrase else "secret key"
        line = _encode(_SECRET.pack(LEGACY, *fields))
        return f"{UNTRUSTED}minisign {kind}\n{line}\n".encode()


class Signature:
    """algorithm: PREHASHED or LEGACY    number: of the key    signature, both: 64 bytes each
    comment: the trusted one; to be used only after `verify`    untrusted: the other one
    """

    __slots__ = ("algorithm", "both", "comment", "number", "signature", "untrusted")

    def __init__(
        self,
        algorithm: bytes,
        number: bytes,
        signature: bytes,
        comment: str,
        both: bytes,
        untrusted: str = "signature from minisign secret key",
    ) -> None:
        self.algorithm = algorithm
        self.number = number
        self.signature = signature
        self.comment = comment
        self.both = both
        self.untrusted = untrusted

    def encode(self) -> bytes:
        """The signature as a file."""
        first = _encode(self.algorithm + self.number + self.signature)
        text = f"{UNTRUSTED}{self.untrusted}\n{first}\n{TRUSTED}{self.comment}\n"
        return f"{text}{_encode(self.both)}\n".encode()


def key_name(number: bytes) -> str:
    """A key's number as minisign shows it."""
    return f"{int.from_bytes(number, 'little'):016X}"


def generate() -> SecretKey:
    """A new key."""
    return SecretKey(os.urandom(8), os.urandom(32))


def parse_public_key(data: bytes) -> PublicKey:
    """The key of a file, or of its second line alone.  SignatureError when it is none."""
    keys = parse_public_keys(data)
    if len(keys) != 1:
        raise SignatureError("not one public key")
    return keys[0]


def parse_public_keys(data: bytes, most: int = 16) -> list[PublicKey]:
    """The keys of several files one after the other.  SignatureError when there is none, or more than `most`."""
    lines = [line.strip() for line in _text(data, "public key").split("\n")]
    bodies = [line for line in lines if line and not line.startswith(UNTRUSTED)]
    if not 0 < len(bodies) <= most:
        raise SignatureError("not a public key of minisign")
    keys = []
    for line in bodies:
        body = _decode(line, 42, "public key")
        if body[:2] != LEGACY:
            raise SignatureError("public key: unknown algorithm")
        keys.append(PublicKey(body[2:10], body[10:]))
    return keys


def parse_secret_key(data: bytes, ask: Callable[[], str]) -> SecretKey:
    """The key of a file.

    ask: called for the passphrase when the key has one.  SignatureError when it is not the right one, or the
    file holds no key.
    """
    lines = _text(data, "secret key").split("\n")
    if len(lines) < 2 or not lines[0].startswith(UNTRUSTED):
        raise SignatureError("not a secret key of minisign")
    body = _decode(lines[1].strip(), _SECRET.size, "secret key")
    algorithm, derivation, check, salt, operations, memory, blob = _SECRET.unpack(body)
    if algorithm != LEGACY or check != b"B2" or derivation not in (b"Sc", bytes(2)):
        raise SignatureError("secret key: unknown algorithm")
    if derivation == b"Sc":
        blob = _xor(blob, _scrypt(ask(), salt, operations, memory))
        if hashlib.blake2b(LEGACY + blob[:72], digest_size=32).digest() != blob[72:]:
            raise SignatureError("wrong passphrase")
    key = SecretKey(blob[:8], blob[8:40])
    if key.public.key != blob[40:72]:
        raise SignatureError("secret key: its two halves do not belong together")
    return key


def parse_signature(data: bytes) -> Signature:
    """The signature of a file.  Nothing of it is to be believed before `verify`.

    SignatureError when it is malformed; each signature has just one spelling but for the ends of its lines.
    """
    if len(data) > LONGEST:
        raise SignatureError("too long for a signature")
    lines = _text(data, "signature").split("\n")
    if len(lines) not in (4, 5) or (len(lines) == 5 and lines[4]):
        raise SignatureError("not a signature of minisign")
    untrusted, first, trusted, both = (line.removesuffix("\r") for line in lines[:4])
    if not untrusted.startswith(UNTRUSTED) or not trusted.startswith(TRUSTED):
        raise SignatureError("not a signature of minisign")
    comment = trusted.removeprefix(TRUSTED)
    _check_comment(comment)
    body = _decode(first, 74, "signature")
    if body[:2] not in (PREHASHED, LEGACY):
        raise SignatureError("signature: unknown algorithm")
    untrusted = untrusted.removeprefix(UNTRUSTED)
    last = _decode(both, 64, "signature")
    return Signature(body[:2], body[2:10], body[10:], comment, last, untrusted)


def sign(key: SecretKey, message: Iterable[bytes], comment: str) -> Signature:
    """Sign the pieces of a message, and a trusted comment.  SignatureError for a comment of several lines."""
    _check_comment(comment)
    digest = hashlib.blake2b()
    for piece in message:
        digest.update(piece)
    signature = key.sign(digest.digest())
    both = key.sign(signature + comment.encode())
    return Signature(PREHASHED, key.number, signature, comment, both)


def verify(
    signature: Signature,
    message: Iterable[bytes],
    keys: Sequence[PublicKey],
    *,
    legacy: bool = True,
) -> PublicKey:
    """The one of `keys` that signed the pieces of this message; SignatureError when none did.

    legacy: whether signatures over the message itself count.  They need all of it in memory.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if signature.algorithm == LEGACY and not legacy:
        raise SignatureError("a signature of the old form, which does not count here")
    candidates = [key for key in keys if key.number == signature.number]
    if not candidates:
        raise SignatureError(f"signed with the key {key_name(signature.number)}, which is unknown")
    if signature.algorithm == LEGACY:
        data = b"".join(message)
    else:
        digest = hashlib.blake2b()
        for piece in message:
            digest.update(piece)
        data = digest.digest()
    for key in candidates:
        try:
            # ValueError: 32 bytes that are no point of the curve.
            verifier = Ed25519PublicKey.from_public_bytes(key.key)
            verifier.verify(signature.signature, data)
        except (InvalidSignature, ValueError):
            continue
        try:
            verifier.verify(signature.both, signature.signature + signature.comment.encode())
        except InvalidSignature:
            raise SignatureError("the trusted comment is not the signed one") from None
        return key
    raise SignatureError("the signature does not fit: the data or the signature was changed")


def _check_comment(comment: str) -> None:
    """minisign refuses what could play tricks with a terminal."""
    if len(comment.encode("utf-8", "surrogatepass")) >= LONGEST_TRUSTED:
        raise SignatureError("trusted comment: too long")
    if any((c < " " and c != "\t") or "\x7f" <= c < "\xa0" for c in comment):
        raise SignatureError("trusted comment: unprintable characters")


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise SignatureError(f"not a {what} of minisign") from None


def _encode(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


def _decode(text: str, size: int, what: str) -> bytes:
    try:
        data = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError:
        raise SignatureError(f"{what}: not base64") from None
    # The last character has bits to spare: they must be those that an encoder writes.
    if len(data) != size or _encode(data) != text:
        raise SignatureError(f"{what}: not base64 of {size} bytes")
    return data


def _xor(one: bytes, other: bytes) -> bytes:
    mixed = int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
    return mixed.to_bytes(len(one), "little")


def _scrypt(passphrase: str, salt: bytes, operations: int, memory: int) -> bytes:
    exponent, parallel = _cost(operations, memory)
    # 128 * r * N bytes, and as much again for the p lanes.
    if 1024 << exponent > MOST_MEMORY or parallel > 64:
        raise SignatureError("secret key: asks for too much memory")
    try:
        return hashlib.scrypt(
            passphrase.encode("utf-8", "surrogateescape"),
            salt=salt,
            n=1 << exponent,
            r=8,
            p=parallel,
            maxmem=2**31 - 1,
            dklen=104,
        )
    except (MemoryError, ValueError):
        size = (1024 << exponent) >> 20
        raise SignatureError(
            f"not enough memory for the passphrase: {size} MiB are needed"
        ) from None


def _cost(operations: int, memory: int) -> tuple[int, int]:
    """scrypt's log2(N) and p for libsodium's limits (crypto_pwhash_scryptsalsa208sha256, pickparams); r is 8."""
    operations = max(operations, 32768)
    small = operations < memory // 32
    bound = operations // 32 if small else memory // 1024
    exponent = 1
    while exponent < 63 and 1 << exponent <= bound // 2:
        exponent += 1
    parallel = 1 if small else min(operations // 4 >> exponent, 0x3FFFFFFF) // 8
    return exponent, max(1, parallel)
