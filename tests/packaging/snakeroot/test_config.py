"""snakeroot.toml: every mistake is one line with file, line and cure, before anything is built.

Breaks when a mistake gets through, or is told with the wrong line.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from snakeroot import services
from snakeroot.config import Instance, load
from snakeroot.host import BuildError
from snakeroot.settings import SettingError, line_of

GOOD = """\
hostname = "box"
authorized_keys = ["ssh-ed25519 AAAA me"]

[services.hello]
python = "./hello"
ports = [8000]

[services.second]
binary = "program"
wait_for = ["network", "hello"]
restart = "on-failure"
stop_timeout = 3
cgroup = { "memory.max" = "64M" }

[machine]
memory = 256
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hello").mkdir()
    (tmp_path / "program").write_bytes(b"\x7fELF")
    (tmp_path / "snakeroot.toml").write_text(GOOD)
    return tmp_path


def test_a_good_file(folder: Path) -> None:
    instance = load(folder)
    assert isinstance(instance, Instance)
    assert instance.settings.services["second"].stop_timeout == 3.0
    assert instance.settings.machine.memory == 256
    assert instance.settings.machine.processors == 2
    assert instance.keys() == ["ssh-ed25519 AAAA me"]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("hostname", "hostnme", 1, "unknown key 'hostnme'; did you mean 'hostname'?"),
        ('hostname = "box"', "", 1, "'hostname' is missing"),
        ('"box"', '"a b"', 1, "'a b' is no host name"),
        (
            "restart",
            "restrat",
            11,
            "unknown key 'restrat' in [services.second]; did you mean 'restart'?",
        ),
        ('"on-failure"', '"sometimes"', 11, "must be 'always' or 'on-failure' or 'never'"),
        ("[8000]", '["8000"]', 6, "'services.hello.ports' must be a whole number, not '8000'"),
        ("[8000]", "[80000]", 6, "80000 is no port"),
        ("[8000]", "[8080]", 6, "port 8080 is taken by machine.page_port"),
        ("memory = 256", 'memory = "256"', 16, "'machine.memory' must be a whole number"),
        ("memory = 256", "memory = true", 16, "'machine.memory' must be a whole number"),
        ("./hello", "./hallo", 5, "'./hallo': no such folder"),
        ('"program"', '"programm"', 9, "'programm': no such file"),
        ('"network", "hello"', '"nework"', 10, "nothing provides 'nework'"),
        ("services.hello", "services.dhcp", 4, "'dhcp' is a service of the box itself"),
        ("services.hello", "services.Hello", 4, "'Hello' is no service name"),
        ('python = "./hello"', "", 4, "needs either 'python' or 'binary'"),
        ("[machine]", "[machine", 15, "Expected"),
        ("ssh-ed25519 AAAA me", "no/such.pub", 2, "neither a public key nor a file"),
        ('"box"', '"box"\nnear = ["100.64.0.0/40"]', 2, "'100.64.0.0/40' does not appear to be"),
        ("[machine]", '[files]\n"/x" = "none"\n[machine]', 16, "'none': no such file or folder"),
        ('"box"', '"box"\npassword = "hunter2"', 2, "never the password"),
        ('"box"', f'"box"\nupdate_tokens = ["{"0" * 64}"]', 2, "64 digits 0-9a-f, never the token"),
        ("[services.hello]", "[[services.hello]]", 4, "'services.hello' must be a table"),
        ("memory = 256", "[kernel]\nmodules = 3", 17, "'kernel.modules' must be a list, not 3"),
        ("memory = 256", '[kernel]\ndisks = ["ide"]', 17, "must be 'virtio' or 'scsi' or 'sata'"),
        ('"box"', '"box"\nroot = "usb"', 2, "'root' must be 'disk' or 'ram', not 'usb'"),
        ('"box"', '"box"\ncompression = "xz"', 2, "'compression' must be 'zstd' or 'lz4'"),
        (
            *("[machine]", '[files]\n"/tmp/x" = "program"\n[machine]', 16),
            "'/tmp/x' would not be seen: /tmp is in memory",
        ),
        (
            *("[machine]", '[files]\n"/var/run/x" = "program"\n[machine]', 16),
            "'/var/run/x' would not be seen: /var/run is in memory",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(
    folder: Path, old: str, new: str, line: int, words: str
) -> None:
    path = folder / "snakeroot.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(SettingError) as caught:
        load(folder)
    text = str(caught.value)
    assert text.startswith(f"{path}:{line}: "), text
    assert words in text
    assert "\n" not in text


def test_keys_that_the_box_would_refuse(folder: Path) -> None:
    """They are told while their owner can still get in, with file and line."""
    (folder / "keys").write_text(
        '# mine\nssh-ed25519 AAAA me\n\nfrom="10.0.0.5/8" ssh-ed25519 AAAA x\n'
    )
    path = folder / "snakeroot.toml"
    path.write_text(GOOD.replace("ssh-ed25519 AAAA me", "keys", 1))
    with pytest.raises(SettingError, match=r"keys: line 4: from: 10\.0\.0\.5/8 has host bits set"):
        load(folder)
    (folder / "keys").write_text("ssh-ed25519 AAAA me\n")
    load(folder)


def test_networks_that_are_near(folder: Path) -> None:
    path = folder / "snakeroot.toml"
    path.write_text(GOOD.replace('"box"', '"box"\nnear = ["100.64.0.0/10"]', 1))
    made = services.contents(load(folder))["services"]
    for name in ("httpd", "breakglass"):
        assert made[name]["command"][-1] == "--near=100.64.0.0/10"


def test_a_missing_file_names_the_cure(tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        load(tmp_path)
    assert "no such file" in str(caught.value)
    assert "snakeroot new" in caught.value.hint


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "snakeroot.toml").write_bytes(b"hostname = '\xff'")
    with pytest.raises(SettingError, match="not UTF-8 at byte 12"):
        load(tmp_path)


def test_line_of_the_nearest_table() -> None:
    assert line_of(GOOD, ("services", "second", "cgroup", "memory.max")) == 13
    assert line_of(GOOD, ("services", "third")) in (1, 4, 8)
