"""./dev sources: a table of the ways, and the proposal of newer pins.

They break when a way that is blocked looks open, when too few ways pass for enough, when a newer version in the
signed indices is not seen or one of another series is taken for it, when a comment of pins.toml is lost, or when a
checksum that has changed in the index is passed over.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import tomllib
from pathlib import Path

import pytest
from interpreter import pins
from interpreter.ways import World
from workbench import renewal, survey

from tests.packaging.interpreter.fake_client import CRATE, GOOD, OLD, FakeClient

PINNED = """# A comment at the top.

[series]
thing = "1"

[suites]
debian = ["new"]
ubuntu = []

# The old one.
[[thing]]
version = "1.0"
released = 2026-01-01
sha256 = "{old}"
upstream = ["http://makers.example/thing-1.0.tar.xz"]
package = "thing"

# And as a crate.
[[thing]]
version = "1.0"
released = 2026-01-01
sha256 = "{crate}"
crate = "thing-src 100.1.0+1.0"
folder = "thing"
"""


@pytest.fixture(autouse=True)
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    digests = {"old": hashlib.sha256(OLD).hexdigest(), "crate": hashlib.sha256(CRATE).hexdigest()}
    path = tmp_path / "pins.toml"
    path.write_text(PINNED.format(**digests))
    monkeypatch.setattr(pins, "PINS", path)
    monkeypatch.setattr(pins, "KINDS", ("thing",))
    monkeypatch.setenv("SNAKEROOT_CACHE", str(tmp_path / "cache"))
    return path


def table(client: FakeClient, *others: survey.Row) -> tuple[int, list[str]]:
    shown: list[str] = []
    return survey.survey(World(client), iter(others), shown.append), shown


@pytest.mark.parametrize(
    ("blocked", "open_ways"),
    [
        ([], 5),
        (["makers.example"], 4),
        (["makers.example", "pool debian", "pool debian security"], 2),
        (["makers.example", "pool debian", "pool debian security", "crate"], 1),
        (["apt-get", "cargo"], 1),
        (["1.0", "crate"], 0),
    ],
)
def test_ways_are_counted(blocked: list[str], open_ways: int) -> None:
    status, shown = table(FakeClient(*blocked))
    assert status == (open_ways < survey.ENOUGH)
    there = [line for line in shown if line.endswith("  there")]
    assert len(there) - 1 == open_ways  # the first is the heading
    ways = "way" if open_ways == 1 else "ways"
    assert any(line.startswith(f"  thing: {open_ways} {ways}; ") for line in shown)
    assert ("  thing 1.0: no way leads to it today" in shown) is (open_ways == 0)


def test_each_way_has_its_reason_and_each_version_its_age() -> None:
    _, shown = table(FakeClient("pool debian", "cargo"))
    days = (datetime.date.today() - datetime.date(2026, 1, 1)).days
    lines = [re.split(r"  +", line) for line in shown]
    assert ["thing", "1.0", "pool debian", f"{days} days", "no: 404 Not Found"] in lines
    assert ["thing", "1.0", "crate", f"{days} days", "no: cargo is not installed"] in lines


def test_other_things_that_cannot_be_had() -> None:
    status, shown = table(FakeClient(), survey.Row("kernel", "6.1", "apt", "404 Not Found"))
    assert status == 1 and shown[-1] == "dev: kernel 6.1: 404 Not Found"


def test_a_newer_version_of_the_series_is_proposed(pinned: Path) -> None:
    """Above the older one's comment, with the addresses and the checksum of its own; 2.0 is another series."""
    client = FakeClient()
    client.listed = {"1.10": GOOD, "1.0": OLD, "2.0": GOOD, "1.11+dfsg": b"changed"}
    before = pinned.read_text()
    problems: list[str] = []
    (news,) = renewal.news("thing", World(client), problems)
    after = renewal.inserted(before, "thing", news)
    assert problems == []
    newest = tomllib.loads(after)["thing"][0]
    assert newest == {
        "version": "1.10",
        "released": datetime.date.today(),
        "sha256": hashlib.sha256(GOOD).hexdigest(),
        "upstream": ["http://makers.example/thing-1.10.tar.xz"],
        "package": "thing",
    }
    assert tomllib.loads(after)["thing"][1:] == tomllib.loads(before)["thing"]
    assert [line for line in after.splitlines() if line in before.splitlines()][0:1] == [
        "# A comment at the top."
    ]
    assert after.index('"1.10"') < after.index("# The old one.") < after.index('"1.0"')
    assert "+version" not in after and f'+version = "{news.version}"' in renewal.difference(
        "pins.toml", before, after
    )


def test_a_newer_crate_is_proposed(pinned: Path) -> None:
    client = FakeClient()
    client.crate = "100.1.3+1.3"
    (news,) = renewal.news("thing", World(client), [])
    after = tomllib.loads(renewal.inserted(pinned.read_text(), "thing", news))["thing"]
    assert [row["version"] for row in after] == ["1.3", "1.0", "1.0"]
    assert after[0]["crate"] == "thing-src 100.1.3+1.3" and after[0]["folder"] == "thing"


def test_nothing_new(pinned: Path) -> None:
    assert renewal.news("thing", World(FakeClient("2.0")), []) == []


def test_another_checksum_in_the_signed_index_is_told() -> None:
    client = FakeClient()
    client.listed = {"1.0": b"another"}
    problems: list[str] = []
    renewal.news("thing", World(client), problems)
    assert len(problems) == 1 and "the signed index says" in problems[0]


def test_the_lock_is_shown_without_its_checksums() -> None:
    old = "a==1 \\\n    --hash=sha256:1\nb==1 \\\n    --hash=sha256:2\n"
    new = "a==2 \\\n    --hash=sha256:3\nb==1 \\\n    --hash=sha256:4\n"
    shown = renewal.difference("requirements.lock", old, new)
    assert "-a==1 \\\n+a==2 \\\n" in shown and "sha256" not in shown


def test_real_rows_can_be_taken_for_a_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(pins.__file__).with_name("pins.toml")
    text = path.read_text()
    for name in ("cpython", "openssl"):
        version = f"{tomllib.loads(text)['series'][name]}.99"
        news = renewal.News(version, "0" * 64, datetime.date(2026, 1, 1))
        after = renewal.inserted(text, name, news)
        rows = tomllib.loads(after)[name]
        assert rows[0]["version"] == version and all(version in url for url in rows[0]["upstream"])
        assert rows[1:] == tomllib.loads(text)[name]
