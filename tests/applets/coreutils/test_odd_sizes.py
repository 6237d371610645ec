"""What if the size is a lie: files of /proc say that they are empty, those of /sys that they fill a block.

And what if there is much of it: time grows with the input, not with its square.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

#: The last one has a size and no blocks, and knows of no holes.
PATHS = ["/proc/version", "/sys/class/net/lo/mtu", "/proc/cmdline"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "argv",
    [
        ["cat"],
        ["head", "-n", "100"],
        ["head", "-c", "1M"],
        ["tail", "-n", "+1"],
        ["tail", "-c", "1M"],
    ],
)
def test_all_of_it_is_read(run: Callable[..., Any], path: str, argv: list[str]) -> None:
    text = Path(path).read_bytes()
    assert run(*argv, path).out == text


@pytest.mark.parametrize("path", PATHS)
def test_parts_and_counts(run: Callable[..., Any], tmp_path: Path, path: str) -> None:
    text = Path(path).read_bytes()
    assert run("tail", "-c2", path).out == text[-2:]
    assert run("head", "-c", "-2", path).out == text[:-2]
    assert run("wc", "-l", path).out.split()[0] == b"%d" % text.count(b"\n")
    for number, words in enumerate(([], ["--sparse=always"], ["--sparse=never"], ["-a"])):
        target = tmp_path / str(number)
        assert run("cp", *words, path, str(target)).status == 0
        assert target.read_bytes() == text


def test_holes_stay_and_the_end_is_right(run: Callable[..., Any], tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.seek(1 << 20)
        file.write(b"middle")
        file.truncate(3 << 20)
    assert run("cp", "a", "b", cwd=tmp_path).status == 0
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
    assert (tmp_path / "b").stat().st_blocks * 512 < 1 << 20


SCALE = [
    ["head", "-c", "-1000000"],
    ["head", "-n", "-100000"],
    ["tail", "-c", "3000000"],
    ["tail", "-n", "300000"],
    ["cat", "-n"],
    ["wc"],
    ["tr", "a", "b"],
    ["cut", "-c1-3"],
    ["uniq"],
    ["sort"],
]


@pytest.mark.parametrize("argv", SCALE)
def test_time_is_linear(
    toolbox_argv: list[str], toolbox_env: dict[str, str], argv: list[str]
) -> None:
    """Processor time of the child alone, twice the input: at most thrice as long, and a constant for the start."""
    line = b"a line of forty bytes, more or less....\n"
    spent = []
    for count in (250_000, 500_000):
        begun = os.times()
        subprocess.run(
            [*toolbox_argv, *argv],
            input=line * count,
            env=toolbox_env,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        ended = os.times()
        spent.append(
            ended.children_user
            + ended.children_system
            - begun.children_user
            - begun.children_system
        )
    assert spent[1] < 3 * spent[0] + 0.3, spent


def test_an_endless_device(run: Callable[..., Any]) -> None:
    begun = time.monotonic()
    assert run("tail", "-c", "5", "/dev/zero").out == bytes(5)
    assert time.monotonic() - begun < 30
