"""QEMU's command line and ports.  Breaks when a box is reachable from outside or a taken port stops it."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path

import pytest
from snakeroot import config, new, qemu
from snakeroot.host import BuildError
from snakeroot.image import Image


@pytest.fixture
def instance(tmp_path: Path) -> config.Instance:
    new.create(tmp_path / "box")
    return config.load(tmp_path / "box")


def test_ports_are_forwarded_from_loopback_only(
    instance: config.Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu, "accelerator", lambda: "tcg")
    image = Image(Path("/k"), Path("/i"), Path("/r"), ("loglevel=4",))
    words = qemu.command(instance, image, {8080: 80, 8022: 22})
    netdev = words[words.index("-netdev") + 1]
    assert netdev.count("hostfwd=") == netdev.count("hostfwd=tcp:127.0.0.1:") == 2
    assert words[words.index("-append") + 1].endswith("loglevel=4")


def test_a_taken_port_gives_way_to_the_next(instance: config.Instance) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        machine = dataclasses.replace(instance.settings.machine, page_port=port)
        settings = dataclasses.replace(instance.settings, machine=machine)
        ports = qemu.forwarded(dataclasses.replace(instance, settings=settings))
    assert port not in ports
    assert sorted(ports.values()) == [22, 80, 8000]


def test_a_box_that_does_not_run_is_said_so(instance: config.Instance) -> None:
    with pytest.raises(BuildError, match="box is not running") as caught:
        qemu.port_of(instance, 22)
    assert "run" in caught.value.hint


def test_the_disk_is_made_once_and_kept(instance: config.Instance) -> None:
    path = qemu.perm_disk(instance, quotas=True)
    assert path.stat().st_size == qemu.PERM_BYTES
    assert path.stat().st_blocks * 512 < qemu.PERM_BYTES / 4, "sparse"
    with path.open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"kept")
    assert qemu.perm_disk(instance, quotas=True).read_bytes()[1 << 20 :][:4] == b"kept"


def test_the_probe_sector_is_one() -> None:
    assert len(qemu.PROBE_SECTOR) == 512


def test_an_accelerator_that_does_not_answer_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu, "PROBE_SECONDS", 0.01)
    assert not qemu._works("tcg"), "no time, no trust"
    monkeypatch.setattr(qemu, "PROBE_SECONDS", 20.0)
    assert qemu._works("tcg"), "the sector ends the machine with the status that is looked for"


def test_a_second_machine_on_the_same_disk_is_refused(instance: config.Instance) -> None:
    with (
        qemu._alone(instance),
        pytest.raises(BuildError, match="box is running already"),
        qemu._alone(instance),
    ):
        pass
    with qemu._alone(instance):
        pass


@pytest.mark.parametrize(
    ("version", "processors"), [((7, 2), "1"), ((8, 0), "1"), ((8, 1), "2"), ((10, 0), "2")]
)
def test_several_processors_are_emulated_where_that_is_safe(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, int], processors: str
) -> None:
    monkeypatch.setattr(qemu, "version", lambda: version)
    assert qemu.emulated(2)[-2:] == ["-smp", processors]
    assert qemu.emulated(1)[-2:] == ["-smp", "1"]


def test_the_version_is_read_from_what_qemu_says() -> None:
    assert qemu.version() > (4, 0)
