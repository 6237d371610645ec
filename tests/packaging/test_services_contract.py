"""What the builder writes is what init reads: breaks when either side renames or retypes a key."""

from __future__ import annotations

import json
from types import SimpleNamespace

from snakeroot import rootfs
from snakeroot.config import Service, Settings

from applets.init.config import parse


def test_init_takes_every_service_that_the_builder_writes() -> None:
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
    written = rootfs.services(SimpleNamespace(settings=settings))  # type: ignore[arg-type]
    config = parse(json.dumps(written).encode())
    assert config.problems == []
    assert set(config.services) >= {"web", "db", "dhcp", "ntp", "httpd", "breakglass", "console"}
    assert config.hostname == "box"
