"""What the builder writes is what init reads: breaks when either side renames or retypes a key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from snakeroot import keys, services
from snakeroot.config import Instance, Service, Settings

from applets.init.config import parse
from toolbox.linux.becoming import PATH


@pytest.mark.parametrize("updates", [False, True])
def test_init_takes_every_service_that_the_builder_writes(tmp_path: Path, updates: bool) -> None:
    """The updater is one of them in boxes that have a release key."""
    if updates:
        keys.create(tmp_path)
    web = Service(
        python="./web",
        arguments=["-v"],
        environment={"A": "b"},
        wait_for=["network", "clock", "db"],
        provides=["site"],
        restart="on-failure",
        ready="notify",
        stop_timeout=3.5,
        limits={"nofile": 100},
        cgroup={"memory.max": "64M"},
    )
    settings = Settings(hostname="box", services={"web": web, "db": Service(binary="db")})
    written = services.contents(Instance(tmp_path, settings))
    config = parse(json.dumps(written).encode())
    assert config.problems == []
    assert set(config.services) >= {"web", "db", "dhcp", "ntp", "httpd", "breakglass", "console"}
    assert ("update" in config.services) is updates
    assert config.hostname == "box"


def test_the_dynamic_program_runs_what_needs_it(tmp_path: Path) -> None:
    own = {name: Service(python=f"./{name}", arguments=["-v"]) for name in ("web", "api")}
    instance = Instance(tmp_path, Settings(hostname="box", services=own))
    made = services.contents(instance, ["api"])["services"]
    assert made["web"]["command"] == ["/bin/python", "-m", "web", "-v"]
    assert made["api"]["command"] == ["/bin/toolbox-dynamic", "python", "-m", "api", "-v"]
    # Who runs `python` as the service, or from it, gets the same one.
    assert made["api"]["environment"] == made["web"]["environment"] | {
        "HOME": "/perm/home/api",
        "PYTHONPATH": "/lib/snakeroot/api",
        "PATH": f"/lib/snakeroot/.dynamic:{PATH}",
    }
