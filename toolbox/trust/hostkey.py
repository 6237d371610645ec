"""The box's own SSH key: Ed25519, made at the first need, kept where it survives the power cut."""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def host_key(path: str) -> bytes:
    """The private host key in OpenSSH's PEM form; made, synced and named `path` when there is none.

    The file has mode 0600 and appears whole or not at all.  OSError as the system says; PermissionError
    when others could read or replace the key that is there; ValueError when that is empty.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    _make(path)
    return _read(path)


def any_host_key(
    path: str, say: Callable[[str], None], temporary: str = "/run/snakeroot-host-key"
) -> bytes:
    """`host_key`, or, where that can be neither read nor made, one that lasts until the box restarts.

    /perm may be full, broken or read-only, and somebody has to come in who repairs it.  say: is told why.
    PermissionError and ValueError as for `host_key`; what others could read is no key.
    """
    try:
        return host_key(path)
    except OSError as error:
        if error.errno == errno.EPERM:
            raise
        why = error.strerror
    # It may have been made all the same, and what failed is to make it last.
    for place in (path, temporary):
        try:
            key = _read(place) if place == path else host_key(place)
        except OSError as error:
            if error.errno == errno.EPERM:
                raise
            continue
        break
    else:
        key = _new()
    say(f"{path}: {why}: the host key may be another one after the next restart")
    return key


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077:
            raise PermissionError(errno.EPERM, "host key is accessible by others", path)
        if status.st_uid not in (0, os.geteuid()):
            raise PermissionError(errno.EPERM, "host key belongs to somebody else", path)
        data = os.read(fd, 1 << 16)
    finally:
        os.close(fd)
    if not data.strip():
        raise ValueError(f"{path}: host key is empty")
    return data


def _new() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )


def _make(path: str) -> None:
    pem = _new()
    folder = os.path.dirname(path) or "."
    os.makedirs(folder, mode=0o700, exist_ok=True)
    draft = f"{path}.{os.getpid()}"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            view = memoryview(pem)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        finally:
            os.close(fd)
        # A link, not a rename: of two makers the first wins and both use its key.
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
    finally:
        os.unlink(draft)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
