"""Users of a box: each service is one, with a number that comes from its name and from nothing else.

What lies on /perm belongs to numbers, and outlives every release.  So a service's number must not change when
others come and go, and the number of one that is gone must not become another's.  A hash of the name does
that (systemd does the same for DynamicUser=); where two names meet, one of them has to choose: `uid =`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

#: Numbers that are made from names: what systemd's list of ranges leaves unused (65536 to 524287).  It begins above
#: the 16-bit numbers with their nobody, and above those that former releases gave by place (from 1000).
FIRST, LAST = 65536, 524287

#: Numbers that may be chosen: not root's, and below those that some programs take for negative ones.
LEAST_CHOSEN, MOST_CHOSEN = 1, 2**31 - 2

#: Nobody's, and what 16-bit programs take for "no user".
NOBODY = 65534
TAKEN = {NOBODY: "nobody", 65535: "no user at all"}


def number(name: str) -> int:
    """The number of the user `name`, for a user that has chosen none."""
    digest = hashlib.sha256(f"snakeroot user {name}".encode()).digest()
    return FIRST + int.from_bytes(digest[:8], "big") % (LAST - FIRST + 1)


def numbers(chosen: Mapping[str, int]) -> dict[str, int]:
    """The number of each user, by name.  chosen: what each has chosen, 0 for nothing."""
    return {name: wanted or number(name) for name, wanted in sorted(chosen.items())}


def problems(chosen: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """(user, what is wrong with its number), with the cure."""
    found = numbers(chosen)
    for name, uid in found.items():
        if not LEAST_CHOSEN <= uid <= MOST_CHOSEN or uid in TAKEN:
            why = f"is {TAKEN[uid]}" if uid in TAKEN else "is no user's"
            yield name, f"uid {uid} {why}; choose one from {LEAST_CHOSEN} to {MOST_CHOSEN}"
            continue
        others = [other for other, one in found.items() if one == uid and other != name]
        # Told once: to the one that has chosen, else to the last in the alphabet.
        if others and (bool(chosen[name]), name) >= max((bool(chosen[o]), o) for o in others):
            free = next(n for n in range(FIRST, LAST) if n not in found.values())
            yield name, f"uid {uid} is the user {others[0]}'s, too; choose another: uid = {free}"
