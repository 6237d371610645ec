"""Sessions and slowed tries.  Breaks when either can grow without bound, live for ever, or be fooled."""

from __future__ import annotations

from toolbox.trust.sessions import Sessions, Tries, equal, new_token


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_session_is_found_by_its_token_only() -> None:
    sessions = Sessions(Clock())
    token, session = sessions.begin()
    other, second = sessions.begin()
    assert sessions.find(token) is session
    assert sessions.find(other) is second
    assert session.csrf != second.csrf
    assert sessions.find("") is None
    assert sessions.find(token[:-1]) is None
    assert sessions.find("\ud800") is None
    sessions.end(token)
    sessions.end(token)
    assert sessions.find(token) is None


def test_sessions_end_when_idle_and_when_old() -> None:
    clock = Clock()
    sessions = Sessions(clock, idle=100, longest=250)
    token, session = sessions.begin()
    clock.now += 99
    assert sessions.find(token) is session
    clock.now += 99
    assert sessions.find(token) is session
    clock.now += 99
    assert sessions.find(token) is None, "too old, however busy"
    token, _ = sessions.begin()
    clock.now += 101
    assert sessions.find(token) is None, "idle"


def test_sessions_are_few_and_the_least_used_goes_first() -> None:
    clock = Clock()
    sessions = Sessions(clock, number=3)
    tokens = []
    for _ in range(3):
        clock.now += 1
        tokens.append(sessions.begin()[0])
    clock.now += 1
    sessions.find(tokens[0])
    sessions.begin()
    assert [sessions.find(token) is not None for token in tokens] == [True, False, True]


def test_tries_are_slowed_and_forgiven() -> None:
    clock = Clock()
    tries = Tries(clock, burst=3, pause=10)
    for _ in range(3):
        assert tries.wait("a") == 0
        tries.fail("a")
    assert tries.wait("a") == 10
    assert tries.wait("b") == 0, "others are not slowed"
    clock.now += 10
    assert tries.wait("a") == 0
    tries.fail("a")
    assert tries.wait("a") == 10
    tries.succeed("a")
    assert tries.wait("a") == 0


def test_many_sources_do_not_fill_the_memory() -> None:
    clock = Clock()
    tries = Tries(clock, burst=1, pause=10, number=100)
    for number in range(100):
        tries.fail(str(number))
    assert tries.wait("new") == 10, "a full table slows those that it cannot remember"
    clock.now += 11
    assert tries.wait("new") == 0
    tries.fail("new")
    assert len(tries._clean) == 1


def test_tokens() -> None:
    assert len(new_token()) == 64
    assert new_token() != new_token()
    assert equal("a", "a") and not equal("a", "b") and not equal("a", "\ud800é")
