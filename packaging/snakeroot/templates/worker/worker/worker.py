"""A program without a page: it does something every minute, and ends when it is told to.

What it must remember lies in $HOME, on the box's disk, and outlives reboots and updates.
"""

import json
import os
import signal
import socket
import threading
from pathlib import Path

SECONDS = float(os.environ.get("SECONDS", "60"))
STATE = Path(os.environ["HOME"]) / "state.json"

stop = threading.Event()


def say_ready():
    """Tell the supervisor that the work begins (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.sendto(b"READY=1", "\0" + address[1:] if address[0] == "@" else address)


def load():
    try:
        return json.loads(STATE.read_text())
    except FileNotFoundError:
        return {"runs": 0}


def store(state):
    """Replace the file whole: the power may fail at any moment."""
    part = STATE.with_suffix(".part")
    with part.open("w") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    part.rename(STATE)


def work(state):
    """What is to be done each time."""
    state["runs"] += 1
    print(f"run {state['runs']}: load {os.getloadavg()[0]:.2f}")


def main():
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    state = load()
    say_ready()
    while not stop.is_set():
        work(state)
        store(state)
        stop.wait(SECONDS)
    print("worker: ends, as it was told to")


if __name__ == "__main__":
    main()
