"""What the builder writes is what the box reads.  Breaks when the two floors disagree on a file's form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from snakeroot import config, new, services

import applets
from applets.init.config import parse
from toolbox.trust import tokens
from toolbox.trust.password import verify_password

BINARY = """
[services.tool]
binary = "tool"
user = "root"
arguments = ["-v"]
wait_for = ["clock"]
restart = "on-failure"
limits = { nofile = 64 }
cgroup = { "memory.max" = "64M" }
"""


@pytest.fixture
def instance(tmp_path: Path) -> config.Instance:
    folder = tmp_path / "box"
    new.create(folder)
    (folder / "tool").write_bytes(b"\x7fELF")
    with (folder / "snakeroot.toml").open("a") as file:
        file.write(BINARY)
    return config.load(folder)


def test_init_finds_nothing_wrong_with_the_services(instance: config.Instance) -> None:
    written = json.dumps(services.contents(instance)).encode()
    read = parse(written)
    assert read.problems == []
    assert [s.problem for s in read.services.values()] == [""] * len(read.services)
    assert set(read.services) == {
        *("dhcp", "ntp", "randomd", "httpd", "breakglass", "console", "update", "hello", "tool")
    }
    assert read.services["tool"].command == ["/lib/snakeroot/tool/tool", "-v"]
    assert read.services["hello"].user == "hello"
    assert read.services["hello"].no_new_privs
    assert not read.services["tool"].no_new_privs


def test_every_program_of_the_box_is_an_applet(instance: config.Instance) -> None:
    names = {n for family in applets.FAMILIES.values() for n in family.split()} | set(
        applets.ALIASES
    )
    for service in services.contents(instance)["services"].values():
        folder, _, name = service["command"][0].rpartition("/")
        assert folder != "/bin" or name in names


def test_a_new_instance_is_good_and_its_secrets_fit(instance: config.Instance) -> None:
    password = (instance.path / "first-password").read_text().strip()
    assert verify_password(password, instance.settings.password)
    assert password not in (instance.path / "snakeroot.toml").read_text()
    assert instance.keys()[0] in (instance.path / "ssh_key.pub").read_text()
    token = (instance.path / "update-token").read_text().strip()
    assert tokens.verify(token, instance.settings.update_tokens)
    assert token not in (instance.path / "snakeroot.toml").read_text()
    ignored = (instance.path / ".gitignore").read_text().splitlines()
    for secret in ("ssh_key", "first-password", "update-token"):
        assert secret in ignored
        assert (instance.path / secret).stat().st_mode & 0o077 == 0


def test_a_new_instance_never_overwrites(instance: config.Instance) -> None:
    with pytest.raises(config.SettingError.__base__, match="is there already"):  # type: ignore[arg-type]
        new.create(instance.path)


def test_the_updater_is_told_what_the_settings_say(instance: config.Instance) -> None:
    path = instance.path / "snakeroot.toml"
    text = path.read_text()
    path.write_text(
        f'{text}\n[update]\ncheck = "test -e /perm/x"\nhealthy_within = 8\npoll = 3600.0\n'
        'window = "22:00-02:00"\n'
    )
    written = services.contents(config.load(instance.path))
    assert written["trial"] == 38.0
    assert written["services"]["update"]["command"] == [
        *("/bin/update", "--daemon", "--for=httpd", "--after=3", "--within=8"),
        *("--check=test -e /perm/x", "--poll=3600", "--window=22:00-02:00"),
    ]
    assert parse(json.dumps(written).encode()).trial == 38.0
    path.write_text(f'{text}\n[update]\nwindow = "22-2"\n')
    with pytest.raises(config.SettingError, match="'22-2' is no window"):
        config.load(instance.path)


def test_a_box_without_a_key_takes_no_releases(instance: config.Instance) -> None:
    for public in instance.path.glob("*.pub"):
        if "release" in public.name or "next" in public.name:
            public.unlink()
    assert "update" not in services.contents(instance)["services"]


def test_every_service_has_its_share_and_the_ways_in_are_killed_last(
    instance: config.Instance,
) -> None:
    made = services.contents(instance)["services"]
    assert made["hello"]["cgroup"] == {
        "memory.max": "70%",
        "memory.oom.group": "1",
        "pids.max": "15%",
    }
    assert made["tool"]["cgroup"] == {
        "memory.max": "64M",
        "memory.oom.group": "1",
        "pids.max": "15%",
    }
    assert made["hello"]["oom_score_adj"] == 500
    for name in ("httpd", "breakglass", "dhcp", "update", "randomd", "ntp"):
        assert made[name]["oom_score_adj"] == -900, name
    assert "oom_score_adj" not in made["console"]
    shares = {n: (s.get("disk"), s.get("files")) for n, s in made.items()}
    assert shares["hello"] == ("90%", "50%")
    assert shares["ntp"] == shares["httpd"] == ("1%", "1%")
    for name in ("tool", "update", "breakglass", "console"):  # root's, whom nobody limits
        assert shares[name] == (None, None), name
    path = instance.path / "snakeroot.toml"
    path.write_text(
        path.read_text().replace("[services.hello]", '[services.hello]\ndisk = "5M"\nfiles = 70')
    )
    made = services.contents(config.load(instance.path))["services"]
    assert (made["hello"]["disk"], made["hello"]["files"]) == ("5M", 70)


def test_a_low_port_is_for_services_that_name_it(instance: config.Instance) -> None:
    path = instance.path / "snakeroot.toml"
    path.write_text(path.read_text().replace("[services.tool]", "[services.tool]\nports = [443]"))
    made = services.contents(config.load(instance.path))
    assert "net.ipv4.ip_unprivileged_port_start" not in made["sysctl"]
    assert made["services"]["hello"]["capabilities"] == []
    assert made["services"]["tool"]["capabilities"] is None, "root's own"
    path.write_text(path.read_text().replace('user = "root"\n', ""))
    made = services.contents(config.load(instance.path))
    assert made["services"]["tool"]["capabilities"] == ["net_bind_service"]


def test_the_kernel_is_told_what_distributions_tell_it(instance: config.Instance) -> None:
    path = instance.path / "snakeroot.toml"
    own = '\n[sysctl]\n"user.max_user_namespaces" = "100"\n"vm.swappiness" = "10"\n'
    path.write_text(path.read_text() + own)
    found = services.contents(config.load(instance.path))["sysctl"]
    assert found["fs.protected_regular"] == found["fs.protected_fifos"] == "1"
    assert found["net.ipv4.conf.*.rp_filter"] == "2"
    assert found["user.max_user_namespaces"] == "100", "the owner's word counts"
    assert found["vm.swappiness"] == "10"
    for name in services.SYSCTL:
        parts = name.removeprefix("-").split(".")
        there = Path("/proc/sys", *("all" if part == "*" else part for part in parts))
        assert there.exists() or name.startswith("-"), name


def test_a_box_without_a_shell_on_its_console(instance: config.Instance) -> None:
    path = instance.path / "snakeroot.toml"
    assert "console" in services.contents(instance)["services"]
    path.write_text('console = "none"\n' + path.read_text())
    assert "console" not in services.contents(config.load(instance.path))["services"]


def test_the_boxes_own_daemons_have_what_their_job_needs(instance: config.Instance) -> None:
    made = services.contents(instance)["services"]
    needs = {
        "randomd": ["sys_admin"],
        "dhcp": ["net_admin", "net_raw", "net_bind_service", "sys_admin"],
        "ntp": ["sys_time"],
        "httpd": ["net_bind_service"],
    }
    for name, capabilities in needs.items():
        assert made[name]["capabilities"] == capabilities
        assert made[name]["no_new_privs"]
    assert made["httpd"]["user"] == "httpd"
    assert "--for=httpd" in made["update"]["command"]
    assert made["ntp"]["user"] == "ntp"
    assert made["ntp"]["state_directory"] == "/perm/home/ntp"
    for name in ("breakglass", "update", "console"):  # whose children are the owner's, and root's
        assert "capabilities" not in made[name]
