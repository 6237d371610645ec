"""Numbers of users come from names: whoever comes or goes, the others keep theirs.

Breaks when an identity that /perm remembers is derived from a place in a list.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snakeroot import check, config, services, users
from snakeroot.settings import SettingError

from tests.packaging.snakeroot.test_config import GOOD

NAMES = st.from_regex(check.SERVICE, fullmatch=True)


def two_with_one_number() -> tuple[str, str]:
    """The first two names of this form that meet."""
    seen: dict[int, str] = {}
    for i in range(100_000):
        name = f"service-{i}"
        if other := seen.get(users.number(name)):
            return other, name
        seen[users.number(name)] = name
    raise AssertionError("no two names meet")


@given(st.dictionaries(NAMES, st.just(0), min_size=1, max_size=8), NAMES)
def test_a_service_that_comes_or_goes_changes_no_other(chosen: dict[str, int], name: str) -> None:
    before = users.numbers(chosen)
    after = users.numbers({**chosen, name: 0})
    assert {n: after[n] for n in before} == before
    assert all(users.FIRST <= uid <= users.LAST for uid in after.values())


def test_the_numbers_are_those_of_former_builds() -> None:
    """Boxes in the field have them on their /perm: another hash would take their state away."""
    assert users.numbers({"hello": 0, "vault": 1001}) == {"hello": 455005, "vault": 1001}


@given(st.lists(NAMES, min_size=2, max_size=5, unique=True))
def test_nothing_that_a_box_keeps_of_a_service_depends_on_the_others(names: list[str]) -> None:
    def written(which: list[str]) -> dict[str, object]:
        made = {name: config.Service(binary="x") for name in which}
        settings = config.Settings(hostname="box", services=made)
        return dict(services.contents(config.Instance(Path("/none"), settings))["services"])

    alone, together = written(names[:1]), written(names)
    assert alone[names[0]] == together[names[0]]
    assert [alone[n] for n in check.OWN if n in alone] == [
        together[n] for n in check.OWN if n in together
    ]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("uid = 70000", "uid = 70000", "uid 70000 is the user hello's, too; choose another: uid = 65536"),
        (f"uid = {users.number('second')}", "", "is the user second's, too; choose another"),
        ("uid = 65534", "", "uid 65534 is nobody; choose one from 1 to"),
        ("uid = -1", "", "uid -1 is no user's"),
        ("uid = 4294967295", "", "uid 4294967295 is no user's"),
        ('uid = 70000\nuser = "root"', "", "'uid' is its own user's, and it runs as 'root'"),
    ],
)  # fmt: skip
def test_a_number_that_cannot_be_chosen_is_an_error_with_its_cure(
    tmp_path: Path, first: str, second: str, words: str
) -> None:
    (tmp_path / "hello").mkdir()
    (tmp_path / "program").write_bytes(b"\x7fELF")
    text = GOOD.replace("[services.hello]", f"[services.hello]\n{first}")
    text = text.replace("[services.second]", f"[services.second]\n{second}")
    (tmp_path / "snakeroot.toml").write_text(text)
    with pytest.raises(SettingError) as caught:
        config.load(tmp_path)
    assert words in str(caught.value)


def test_names_that_meet_are_told_and_the_second_one_may_choose() -> None:
    one, two = two_with_one_number()
    found = dict(users.problems({one: 0, two: 0, "hello": 0}))
    assert list(found) == [max(one, two)]
    assert "choose another: uid = 65536" in found[max(one, two)]
    assert dict(users.problems({one: 0, two: 65536})) == {}
