"""Programs of the gokrazy world in a booted box: built by `go install`, unmodified, each a `binary` service.

Only with `./dev test --packages`, and where Go is: the modules come from its proxy.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.vm.conftest import BOOT, Box, create
from tests.vm.test_disk import DiskBox, booted
from tests.vm.test_update import becomes, make, written

pytestmark = pytest.mark.packages

#: What is built: static programs, as Go makes them without cgo.
PROGRAMS = (
    "tailscale.com/cmd/tailscale@v1.96.0",
    "tailscale.com/cmd/tailscaled@v1.96.0",
    "github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.0",
)

#: tailscaled's socket and state lie in its $HOME: its user may not write to /run.
HOME = "/perm/home/tailscaled"

SERVICES = f"""
[services.tailscaled]
binary = "./bin/tailscaled"
arguments = ["--statedir={HOME}", "--socket={HOME}/socket", "--no-logs-no-support"]
capabilities = ["net_admin", "net_raw"]
devices = ["/dev/net/tun"]
modules = ["tun"]
ready = "notify"
[services.caddy]
binary = "./bin/caddy"
arguments = ["run", "--config", "/etc/Caddyfile", "--adapter", "caddyfile"]
ready = "notify"
ports = [8000]
[files]
"/usr/bin/tailscale" = "bin/tailscale"
"/etc/Caddyfile" = "Caddyfile"
"/srv/www" = "www"
"""

CADDYFILE = """
:8000 {
    root * /srv/www
    encode gzip
    file_server
}
"""

PAGE = "<!doctype html><title>hello</title>" + "<p>served by caddy</p>" * 100


def go_install(folder: Path, program: str, *words: str) -> None:
    environment = {**os.environ, "GOBIN": str(folder / "bin"), "CGO_ENABLED": "0"}
    subprocess.run(["go", "install", *words, program], env=environment, check=True)


def _add(folder: Path) -> None:
    for program in PROGRAMS:
        go_install(folder, program)
    (folder / "Caddyfile").write_text(CADDYFILE)
    (folder / "www").mkdir()
    (folder / "www" / "index.html").write_text(PAGE)
    path = folder / "snakeroot.toml"
    text = path.read_text()
    begin, end = text.index("[services.hello]"), text.index("# [files]")
    path.write_text(f"{text[:begin]}{SERVICES}\n{text[end:]}")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DiskBox]:
    folder = tmp_path_factory.mktemp("go") / "hello"
    create(folder)
    _add(folder)
    with booted(folder, written(folder), reboots=True) as box:
        box.ready()
        yield box


def ready(box: Box, name: str) -> dict[str, Any]:
    """The state of a service that has told that it is ready."""
    found = box.wait(
        f"{name} is ready",
        lambda: (state := box.services().get(name, {})).get("ready") and state,
        4 * BOOT,
    )
    assert isinstance(found, dict)
    return found


def status(box: Box) -> dict[str, Any]:
    """What the daemon of Tailscale says about itself."""
    done = box.ssh(f"tailscale --socket={HOME}/socket status --json", seconds=300)
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert isinstance(found, dict)
    return found


def test_caddy_serves_a_page(site: DiskBox) -> None:
    ready(site, "caddy")
    assert site.curl("/", port=8000, login=False).out == PAGE
    packed = site.curl("/", "-D", "-", "--compressed", port=8000, login=False).out
    assert "Content-Encoding: gzip" in packed and packed.endswith(PAGE)
    assert site.curl("/none", port=8000, login=False).err == "404"


def test_tailscale_waits_for_its_login(site: DiskBox) -> None:
    ready(site, "tailscaled")
    said = status(site)
    assert (said["BackendState"], said["TUN"]) == ("NeedsLogin", True)
    assert said["Version"].startswith("1.96.0")
    assert "tailscale0" in site.ssh("ip link show").out


def test_state_of_tailscale_outlives_its_death(site: DiskBox) -> None:
    """It is killed, and started again; it has the same key, in its own file on the disk.

    The key is made for the first login, which fails here: nobody is at the server's address.
    """
    ready(site, "tailscaled")
    words = "up --login-server=http://127.0.0.1:9 --timeout=10s"
    done = site.ssh(f"tailscale --socket={HOME}/socket {words}", seconds=300)
    assert done.status != 0 and "timeout" in done.err
    before = site.ssh(f"cat {HOME}/tailscaled.state").out
    assert "_machinekey" in before
    assert site.ssh(f"stat -c '%U %a' {HOME}/tailscaled.state").out == "tailscaled 600\n"
    old = site.services()["tailscaled"]["pid"]
    assert site.ssh(f"kill -9 {old}").status == 0
    site.wait("another process", lambda: site.services()["tailscaled"]["pid"] not in (old, None))
    assert ready(site, "tailscaled")["restarts"] == 1
    assert status(site)["BackendState"] == "NeedsLogin"
    assert site.ssh(f"cat {HOME}/tailscaled.state").out == before


def test_caddy_takes_a_new_configuration_while_it_runs(site: DiskBox) -> None:
    pid = ready(site, "caddy")["pid"]
    words = "/dev/stdin --adapter caddyfile"
    program = "/lib/snakeroot/caddy/caddy"
    done = site.ssh(f"{program} reload --config {words}", stdin=b':8000 {\n respond "new"\n}\n')
    assert done.status == 0, done.err
    assert site.curl("/", port=8000, login=False).out == "new"
    assert site.services()["caddy"]["pid"] == pid


def test_update_to_another_caddy(site: DiskBox) -> None:
    """Caddy calls itself what whoever builds it says; Tailscale's key is that of before."""
    key = site.ssh(f"cat {HOME}/tailscaled.state").out
    folder = site.instance.path
    go_install(
        folder, PROGRAMS[-1], "-ldflags=-X github.com/caddyserver/caddy/v2.CustomVersion=next"
    )
    make(folder, "2")
    snakeroot = Path(sys.executable).with_name("snakeroot")
    words = [str(snakeroot), "-C", str(folder), "update", str(folder.with_name("releases"))]
    done = site.run(words, seconds=600)
    assert (done.status, done.out) == (0, "version 2 runs in slot b\n"), done.err
    becomes(site, "b", "2")
    assert site.ssh("/lib/snakeroot/caddy/caddy version").out.startswith("next")
    ready(site, "caddy")
    assert site.curl("/", port=8000, login=False).out == PAGE
    assert "_machinekey" in key
    assert site.ssh(f"cat {HOME}/tailscaled.state").out == key
    ready(site, "tailscaled")
    assert status(site)["BackendState"] == "NeedsLogin"
    site.poweroff()
