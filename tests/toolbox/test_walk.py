"""The walk of trees: breaks when something is visited twice, left out, or reached by a link that nobody asked to follow."""

from __future__ import annotations

import os

from toolbox.walk import walk


def tree(path):
    (path / "t" / "a" / "b").mkdir(parents=True)
    (path / "t" / "a" / "f").touch()
    (path / "outside").mkdir()
    (path / "outside" / "secret").touch()
    os.symlink("../outside", path / "t" / "link")
    return str(path / "t")


def seen(top, **options):
    return [
        (os.path.relpath(v.path, os.path.dirname(top)), v.leaving)
        for v in walk(top, order=str, **options)
    ]


def test_order(tmp_path):
    assert seen(tree(tmp_path)) == [
        ("t", False),
        ("t/a", False),
        ("t/a/b", False),
        ("t/a/b", True),
        ("t/a/f", False),
        ("t/a", True),
        ("t/link", False),
        ("t", True),
    ]


def test_links(tmp_path):
    top = tree(tmp_path)
    assert ("t/link/secret", False) not in seen(top)
    assert ("t/link/secret", False) in seen(top, follow="always")
    link = os.path.join(top, "link")
    assert [n for n, _ in seen(link)] == ["link"]
    assert ("link/secret", False) in seen(link, follow="top")


def test_loop_is_an_error(tmp_path):
    top = tree(tmp_path)
    os.symlink(".", os.path.join(top, "loop"))
    errors = []
    list(walk(top, follow="always", failed=errors.append))
    assert [e.filename for e in errors] == [os.path.join(top, "loop")]


def test_prune_and_most(tmp_path):
    top = tree(tmp_path)
    names = []
    for visit in walk(top, order=str):
        names.append(visit.name)
        visit.prune = visit.name == "a"
    assert "f" not in names
    assert [n for n, _ in seen(top, most=1)] == ["t", "t/a", "t/a", "t/link", "t"]


def test_swapped_directory_is_not_entered(tmp_path):
    """Between listing and entering somebody puts a link into the place: it must not be followed."""
    top = tree(tmp_path)
    errors = []
    names = []
    for visit in walk(top, order=str, failed=errors.append):
        names.append(visit.name)
        if visit.name == "b" and not visit.leaving:
            os.rmdir(os.path.join(top, "a", "b"))
            os.symlink("../../outside", os.path.join(top, "a", "b"))
    assert "secret" not in names
    assert len(errors) == 1


def test_descriptors_are_closed(tmp_path):
    top = tree(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    list(walk(top))
    for _ in walk(top):
        break
    assert len(os.listdir("/proc/self/fd")) == before
