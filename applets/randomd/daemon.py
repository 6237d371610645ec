"""The loop: credit, save, wait for a day or a signal, save."""

from __future__ import annotations

import os
import selectors
import signal

from applets.randomd import identity, seed
from toolbox.errors import describe, say
from toolbox.files import make_folder, replace_file
from toolbox.notify import notify
from toolbox.signals import Signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.randomd.pool import Pool

DAY = 86400.0


class Daemon:
    """Keeps the seed and the identity in the folder `state`."""

    def __init__(self, pool: Pool, *, state: str, etc: str, run: str, once: bool = False) -> None:
        self.pool = pool
        self.state = state
        self.etc = etc
        self.runtime = run
        self.once = once
        self.pending: bytes | None = None
        self.stopping = False

    def run(self) -> int:
        """The exit status: 0; trouble with files is told and lived with, for the box needs numbers."""
        with Signals((signal.SIGTERM, signal.SIGINT)) as signals:
            self._load()
            good = self._save()
            named = self._name_box(good)
            notify("READY=1", "STATUS=" + ("seed saved" if good else "waiting for the random pool"))
            if self.once:
                return 0
            with selectors.DefaultSelector() as selector:
                selector.register(signals, selectors.EVENT_READ)
                if not (good and named):
                    self._wait_for_pool(selector, signals)
                while not self.stopping:
                    if not selector.select(DAY):
                        self._save()
                    self._obey(signals)
            self._save()
        return 0

    def _obey(self, signals: Signals) -> None:
        self.stopping = self.stopping or bool(list(signals.take()))

    def _wait_for_pool(self, selector: selectors.BaseSelector, signals: Signals) -> None:
        """Save a good seed as soon as there is one: power may fail before the day is over."""
        try:
            fd = self.pool.readiness()
        except OSError as error:
            say(f"randomd: {describe(error)}")
            return
        try:
            selector.register(fd, selectors.EVENT_READ)
            while not self.stopping:
                ready = any(key.fd == fd for key, _ in selector.select())
                self._obey(signals)
                if ready:
                    self._name_box(self._save())
                    break
            selector.unregister(fd)
        finally:
            os.close(fd)

    def _load(self) -> None:
        try:
            if seed.load(self.state, self.pool):
                say("randomd: credited the saved seed")
        except OSError as error:
            say(f"randomd: cannot use the saved seed: {describe(error)}")

    def _save(self) -> bool:
        try:
            make_folder(self.state)
            return seed.save(self.state, self.pool)
        except OSError as error:
            say(f"randomd: cannot save a seed: {describe(error)}")
            return False

    def _name_box(self, good: bool) -> bool:
        """Publish the box's identity; make one when it has none and the pool is good."""
        try:
            text = identity.load(self.state)
            if text is None:
                random, good = self.pool.take(16)
                if not good:
                    return False  # two boxes of one image must not get one name
                text = identity.create(random)
                path = os.path.join(self.state, "machine-id")
                try:
                    replace_file(path, text, mode=0o444, durable=True)
                except OSError as error:
                    say(f"randomd: the machine-id is for this boot only: {describe(error)}")
            identity.publish(text, self.etc, self.runtime)
        except OSError as error:
            say(f"randomd: cannot publish the machine-id: {describe(error)}")
        return True
