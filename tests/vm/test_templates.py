"""An instance of a template on a box, from `snakeroot new` to the answer of its page."""

from __future__ import annotations

from pathlib import Path

from snakeroot import new

from tests.vm.conftest import PATIENT, Box, namespace


def test_guest_book_of_flask_keeps_what_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "book"
    new.create(folder, "flask")
    with (folder / "snakeroot.toml").open("a") as settings:
        settings.write(PATIENT)
    with namespace() as netns:
        box = Box(folder, netns)
        try:
            box.ready()
            box.wait("the book", lambda: box.curl("/", port=8000, login=False).err == "200")
            words = ["--data-urlencode", "name=Ann", "--data-urlencode", "text=<hi>"]
            assert box.curl("/", *words, port=8000, login=False).err == "302"
            assert box.ssh("service restart web").status == 0
            box.wait("the book", lambda: box.curl("/", port=8000, login=False).err == "200")
            assert "Ann</b><br>&lt;hi&gt;" in box.curl("/", port=8000, login=False).out
            assert box.ssh("stat -c %U /perm/home/web/guestbook.db").out == "web\n"
            box.poweroff()
        finally:
            box.close()
