"""Releases on the developer's machine: making them, looking at them, checking them.

A folder of releases is what a web server, a bucket or a stick holds: the files of the releases and, for each
channel, a small file that says which is the latest.  That one is written last, and whole.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from snakeroot import keys
from snakeroot.config import Instance
from snakeroot.host import BuildError, replace, step
from snakeroot.hostfiles import items
from toolbox.harmless import harmless
from toolbox.release import ReleaseError, channel, manifest, own, pack, signed
from toolbox.release.channel import Channel
from toolbox.release.fetch import (
    Release,
    Retry,
    locate,
    open_release,
    parse_release,
    read_channel,
)
from toolbox.release.manifest import MAX_NUMBER, Blob, Manifest, Target
from toolbox.release.own import Own
from toolbox.release.sources import Source, is_url, open_source
from toolbox.trust import minisign
from toolbox.trust.minisign import PublicKey, SecretKey, SignatureError

#: The word that stands for the latest release of the instance's channel.
LATEST = "latest"


@dataclass(frozen=True)
class Rollout:
    """Which channel gets the release: its name, and what part of the boxes takes it."""

    channel: str = channel.DEFAULT
    percent: int = 100
    salt: str = ""


@dataclass(frozen=True)
class Plan:
    """What a release says of itself.

    created: Unix seconds; also the number of the slot's header    floor: see toolbox/release/manifest.py
    """

    target: Target
    version: str
    created: int
    floor: str = "0"
    notes: str = ""

    @property
    def number(self) -> int:
        """The release's number for the boot loader: newer releases have higher ones."""
        return min(max(self.created, 1), MAX_NUMBER)


def plan(
    instance: Instance, inputs: Sequence[Path], version: str = "", floor: str = "", notes: str = ""
) -> Plan:
    """The plan for an instance; what is not given is as snakeroot.toml has it.

    inputs: files that the release is made from, beside those of the instance.  Without a version, the time
    of the newest one is the version; $SOURCE_DATE_EPOCH is believed instead of all their times.
    """
    settings = instance.settings.release
    when = created(instance, inputs)
    version = version or settings.version or time.strftime("%Y%m%d.%H%M%S", time.gmtime(when))
    made = Plan(target(instance), version, when, floor or settings.floor, notes)
    for what, text in (("version", made.version), ("floor", made.floor)):
        if not manifest.VERSION.fullmatch(text):
            raise BuildError(
                f"'{text}' is no {what}",
                "use numbers between dots, and perhaps ~rc1 or a letter: 1.4.2, 2.0~rc1",
            )
    if manifest.compare(made.version, made.floor) < 0:
        raise BuildError(f"version {made.version} is below its own floor, {made.floor}")
    return made


def image_plan(instance: Instance) -> Plan:
    """The plan for what a disk image holds: without a version or $SOURCE_DATE_EPOCH it is version 0.

    No file's time counts, so that the same inputs make the same image anywhere.
    """
    if os.environ.get("SOURCE_DATE_EPOCH") is not None:
        return plan(instance, [])
    settings = instance.settings.release
    if not settings.version:
        return Plan(target(instance), "0", 0)
    return Plan(target(instance), settings.version, 0, settings.floor)


def target(instance: Instance) -> Target:
    """For which boxes the instance's releases are."""
    settings = instance.settings
    name = settings.release.name or settings.hostname.lower()
    found = Target(name, "x86_64", settings.release.board)
    for what, text in (("name", found.name), ("board", found.board)):
        if not manifest.WORD.fullmatch(text):
            raise BuildError(
                f"release.{what}: '{text}' is not allowed", "use small letters, digits, '-' and '_'"
            )
    return found


def own_files(instance: Instance, trusted: list[PublicKey]) -> dict[str, bytes]:
    """The files by which a box knows what it is and whom it believes (toolbox/release/own.py)."""
    settings = instance.settings.release
    return own.encode(Own(target(instance), trusted, settings.url, settings.channel))


def readable(instance: Instance) -> list[str]:
    """What of an instance's secrets anybody can read who has one of its releases: a release is signed, not secret."""
    settings = instance.settings
    found = []
    if settings.password:
        found.append("the hash of the page's password")
    if number := len(settings.update_tokens):
        found.append(f"the hashes of {number} update token{'s' if number > 1 else ''}")
    if number := len(instance.keys()):
        found.append(f"{number} public SSH key{'s' if number > 1 else ''}")
    for name, service in settings.services.items():
        if service.environment:
            found.append(f"the environment of {name} ({', '.join(sorted(service.environment))})")
    for target, file in instance.files().items():
        if any(_is_private(item.mode, file.mode) for item in items(instance.place(file.source))):
            found.append(f"{target}, which not everybody may read on the box")
    return found


def _is_private(mode: int, chosen: str) -> bool:
    bits = int(chosen, 8) if chosen and stat.S_ISREG(mode) else mode
    return not stat.S_ISLNK(mode) and not bits & stat.S_IROTH


def created(instance: Instance, inputs: Sequence[Path]) -> int:
    """When the newest input was changed, in Unix seconds; $SOURCE_DATE_EPOCH when it is set."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told is not None:
        if not (told.isascii() and told.isdecimal() and len(told) < 12):
            raise BuildError(f"SOURCE_DATE_EPOCH: '{told}' is no number of seconds")
        return int(told)
    ours = {instance.output.name, *SECRETS}
    found = list(inputs)
    for place in (instance.path, *_elsewhere(instance)):
        found.append(place)
        for folder, folders, files in os.walk(place):
            folders[:] = sorted(n for n in folders if n not in ours and n != "__pycache__")
            folders[:] = [n for n in folders if not n.startswith(".")]
            found += [Path(folder, n) for n in files if n not in ours and not n.startswith(".")]
    return max((int(path.stat().st_mtime) for path in found if path.is_file()), default=0)


#: Files of an instance that are no part of what is built.
SECRETS = frozenset(("release.key", "next.key", "ssh_key", "first-password", "update-token"))


def _elsewhere(instance: Instance) -> list[Path]:
    """Files and folders that the settings name."""
    settings = instance.settings
    places = [instance.place(file.source) for file in instance.files().values()]
    for service in settings.services.values():
        binary = "" if service.packages and service.binary.startswith("/") else service.binary
        places += [instance.path / name for name in (service.python, binary) if name]
    return [place for place in places if place.exists()]


# -- making ------------------------------------------------------------------------------------------------


def write(
    folder: Path,
    plan: Plan,
    parts: Mapping[str, BinaryIO],
    key: SecretKey,
    rollouts: Sequence[Rollout] = (Rollout(),),
) -> Path:
    """Put a release into a folder, then the channel files that lead to it; returns the release's file.

    parts: "boot" and "root", in this order, each read from where it stands to its end.  Same arguments, same
    bytes.  BuildError when another release of that version is there already: boxes may have it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / manifest.file_name(plan.target, plan.version)
    try:
        with tempfile.TemporaryFile(dir=folder) as stored, step("chunks and pack"):
            packed = pack.write(parts, {n: _size(file) for n, file in parts.items()}, stored)
            head = _head(plan, packed, key)
            stored.seek(0)
            _publish(path, [head, packed.index], stored)
        for rollout in rollouts:
            name = channel.file_name(plan.target, rollout.channel)
            latest = Channel(
                *(rollout.channel, plan.target, plan.version, path.name, plan.created),
                *(rollout.percent, rollout.salt),
            )
            _succeed(latest, folder / name, key)
            channel.decode(latest.encode())
            replace(folder / name, signed.seal(latest.encode(), key, latest.created, name))
    except ReleaseError as error:
        raise BuildError(str(error)) from None
    return path


def _succeed(latest: Channel, path: Path, key: SecretKey) -> None:
    """Make a channel file newer than the one that is there, unless it says the same.

    Boxes refuse one that is older than what they have seen, and the time of the newest input may be: of an older
    branch, say.
    """
    try:
        with path.open("rb") as file:
            line, _ = signed.unseal(signed.split(file.read(signed.LONGEST))[0], [key.public])
        former = channel.decode(signed.parse(line))
    except (FileNotFoundError, ReleaseError):
        return
    mine = latest.created
    latest.created = former.created
    if latest.encode() != former.encode():
        latest.created = max(mine, former.created + 1)


def label(plan: Plan, parts: Mapping[str, BinaryIO], key: SecretKey) -> bytes:
    """By which a slot with these parts says what it holds: head and index of the release that they are."""
    try:
        with open(os.devnull, "wb") as nowhere, step("chunks"):
            packed = pack.write(parts, {n: _size(file) for n, file in parts.items()}, nowhere)
        return _head(plan, packed, key) + packed.index
    except ReleaseError as error:
        raise BuildError(str(error)) from None


def _head(plan: Plan, packed: pack.Packed, key: SecretKey) -> bytes:
    """The signed lines that a release begins with."""
    name = manifest.file_name(plan.target, plan.version)
    mounts = {manifest.MOUNTS: ",".join(manifest.MOUNTED)}
    return signed.seal(_manifest(plan, packed).encode(), key, plan.created, name, mounts)


def _manifest(plan: Plan, packed: pack.Packed) -> Manifest:
    index = Blob(len(packed.index), hashlib.sha256(packed.index).hexdigest())
    made = Manifest(
        plan.target,
        plan.version,
        plan.number,
        plan.created,
        packed.parts,
        index,
        packed.pack,
        plan.floor,
        plan.notes,
    )
    return manifest.decode(made.encode())


def _publish(path: Path, head: list[bytes], stored: BinaryIO) -> None:
    """The file appears whole; one that is there already must have the same contents."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    digest = hashlib.sha256()
    try:
        with part.open("wb") as file:
            for data in (*head, *iter(lambda: stored.read(1 << 20), b"")):
                file.write(data)
                digest.update(data)
        if path.exists():
            with path.open("rb") as old:
                same = hashlib.file_digest(old, "sha256").digest() == digest.digest()
            if not same:
                raise BuildError(
                    f"{path}: another release of that version is there",
                    "give the new one a version of its own: --version",
                )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _size(file: BinaryIO) -> int:
    here = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(here)
    return end - here


# -- looking -----------------------------------------------------------------------------------------------


def place(instance: Instance | None, what: str, trusted: Sequence[PublicKey]) -> str:
    """The path or URL of what `show` and `verify` are given: `latest` is that of the instance's channel."""
    if what != LATEST or Path(what).exists():
        return what
    if instance is None or not instance.settings.release.url:
        raise BuildError(
            "latest: of what? nothing says where releases are",
            'set url = "..." (or a folder) in [release] of snakeroot.toml, or name a file',
        )
    settings = instance.settings.release
    where = settings.url if is_url(settings.url) else str(instance.path / settings.url)
    try:
        return locate(where, target(instance), trusted, name=settings.channel, retry=_retry())[0]
    except ReleaseError as error:
        raise BuildError(str(error)) from None


def show(what: str, trusted: Sequence[PublicKey]) -> dict[str, object]:
    """What a release or a channel file says, after its signature was checked.  BuildError for anything else."""
    try:
        source = open_source(what)
        try:
            if what.endswith(channel.SUFFIX):
                return _told(read_channel(source, trusted, _retry()))
            release = open_release(source, trusted, _retry())
            return _described(release, len(release.load_index(source, _retry())))
        finally:
            source.close()
    except ReleaseError as error:
        raise BuildError(_named(what, error)) from None


def describe(data: bytes, trusted: Sequence[PublicKey]) -> dict[str, object]:
    """As `show`, for the first bytes of a release.  ReleaseError when they are not signed."""
    return _described(parse_release(data, trusted), None)


def _told(found: Channel) -> dict[str, object]:
    message = found.encode()
    del message["format"]
    return {**message, "created": _date(found.created)}


def _described(release: Release, count: int | None) -> dict[str, object]:
    found = release.manifest
    chunks = {} if count is None else {"chunks": count}
    return {
        "type": manifest.TYPE,
        "name": found.target.name,
        "architecture": found.target.architecture,
        "board": found.target.board,
        "version": found.version,
        "floor": found.floor,
        "created": _date(found.created),
        "number": found.number,
        "key": release.key.name,
        **{name: blob.size for name, blob in found.parts.items()},
        **chunks,
        "size": release.size,
        "notes": found.notes,
    }


def _date(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def lines(described: Mapping[str, object]) -> list[str]:
    """What `show` found, for people; nothing of it can move the cursor."""
    found = []
    for name, value in described.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {one}" for key, one in value.items())
        text = str(value).splitlines() or [""]
        for number, line in enumerate(text):
            found.append(f"{'' if number else name:<12}  {harmless(line)}".rstrip())
    return found


# -- checking ----------------------------------------------------------------------------------------------


def verify(what: str, trusted: Sequence[PublicKey]) -> str:
    """Check every byte of a release, a channel file, or any file with a signature of minisign beside it.

    Returns a line for people; BuildError when anything is wrong.
    """
    beside = Path(f"{what}.minisig")
    try:
        if not is_url(what) and beside.exists():
            return _verify_detached(Path(what), beside, trusted)
        source = open_source(what)
        try:
            if what.endswith(channel.SUFFIX):
                found = read_channel(source, trusted, _retry())
                return f"{what}: good, channel {found.channel} leads to version {found.version}"
            return _verify_release(what, source, trusted)
        finally:
            source.close()
    except (ReleaseError, SignatureError) as error:
        raise BuildError(_named(what, error)) from None


def _verify_release(what: str, source: Source, trusted: Sequence[PublicKey]) -> str:
    release = open_release(source, trusted, _retry())
    wanted = release.manifest
    hashes = {name: hashlib.sha256() for name in wanted.parts}
    packed = hashlib.sha256()
    index = release.load_index(source, _retry())
    source.at(release.pack_at, release.size)
    for chunk in index:
        data = source.exactly(chunk.stored)
        packed.update(data)
        hashes[chunk.part].update(chunk.unpack(data))
    found = {name: digest.hexdigest() for name, digest in hashes.items()}
    if found != {name: blob.sha256 for name, blob in wanted.parts.items()}:
        raise ReleaseError("the parts are not those that are signed")
    if packed.hexdigest() != wanted.pack.sha256:
        raise ReleaseError("the pack is not the one that is signed")
    if not is_url(what) and Path(what).stat().st_size != release.size:
        raise ReleaseError("something follows the release")
    return (
        f"{what}: good, version {wanted.version} of {wanted.target}, signed by {release.key.name}"
    )


def _verify_detached(path: Path, beside: Path, trusted: Sequence[PublicKey]) -> str:
    signature = minisign.parse_signature(beside.read_bytes()[: minisign.LONGEST + 1])
    with path.open("rb") as file:
        pieces = iter(lambda: file.read(1 << 20), b"")
        key = minisign.verify(signature, pieces, trusted)
    return f"{path}: good, signed by {key.name}: {signature.comment}"


def _retry() -> Retry:
    return Retry(tries=3)


def _named(what: str, error: ValueError) -> str:
    text = str(error)
    return text if text.startswith(what) else f"{what}: {text}"


def trusted(instance: Instance | None, files: Sequence[Path]) -> list[PublicKey]:
    """The public keys of files, else of the instance.  BuildError when there are none."""
    found = [key for path in files for key in keys.read_public(path)]
    if not found and instance is not None:
        found = keys.public(instance.path)
    if not found:
        raise BuildError(
            "no public key to check signatures with", "name one (--key FILE), or: snakeroot keygen"
        )
    return found
