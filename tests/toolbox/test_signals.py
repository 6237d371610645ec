"""Signals as a descriptor.  Breaks when one is lost, when it interrupts instead of waiting its turn, or
when the former handlers do not come back."""

from __future__ import annotations

import os
import select
import signal

from toolbox.signals import Signals


def test_signals_come_by_the_descriptor_and_the_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with Signals((signal.SIGUSR1, signal.SIGTERM)) as signals:
        assert list(signals.take()) == []
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert select.select([signals], [], [], 10)[0]
        assert sorted(signals.take()) == sorted((signal.SIGUSR1, signal.SIGTERM))
        assert list(signals.take()) == []
    assert signal.getsignal(signal.SIGUSR1) == before


def test_a_flood_of_signals_blocks_nobody() -> None:
    with Signals((signal.SIGUSR1,)) as signals:
        for _ in range(100_000):
            signal.raise_signal(signal.SIGUSR1)
        assert set(signals.take()) == {signal.SIGUSR1}
