"""The builder's commands for a running box, on one that runs.

Breaks when `snakeroot exec` is not the service's user, or when a file does not come through as it was.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.vm.conftest import Box, Result


def call(box: Box, *words: str, seconds: float = 60) -> Result:
    return box.run(argv(box, *words), seconds=seconds)


def argv(box: Box, *words: str) -> list[str]:
    paths = f"PYTHONPATH={ROOT}:{ROOT / 'packaging'}"
    return ["env", paths, sys.executable, "-m", "snakeroot", "-C", str(box.instance.path), *words]


def test_services_and_their_logs(box: Box) -> None:
    assert "hello" in {one["name"] for one in json.loads(call(box, "services", "--json").out)}
    status = call(box, "status", "hello")
    assert status.status == 0 and status.out.startswith("hello\n  state:     running for ")
    assert call(box, "status", "none").status == 4
    lines = call(box, "logs", "--json", "-n", "1", "hello").out.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["hello: listening on port 8000"]


def test_exec_is_the_service_but_for_its_program(box: Box) -> None:
    script = 'id -un; echo "$GREETING"; grep NoNewPrivs /proc/self/status; echo x > $HOME/x; exit 9'
    done = call(box, "exec", "hello", "--", "sh", "-c", script)
    assert done.out.split("\n")[:3] == [
        "hello",
        "Hello from a box made of Python",
        "NoNewPrivs:\t1",
    ]
    assert (done.status, done.err) == (9, "")
    done = call(box, "exec", "hello", "--", "python", "-c", "import segno; print(segno.__name__)")
    assert (done.out, done.err) == ("segno\n", "")
    assert box.ssh("stat -c %U /perm/home/hello/x").out == "hello\n"
    assert call(box, "exec", "hello", "--", "nothing").status == 127
    assert "there is no service 'none'" in call(box, "exec", "none", "--", "true").err


def test_files_come_in_and_out_as_they_are(box: Box, tmp_path: Path) -> None:
    data = bytes(range(256)) * 100
    folder = tmp_path / "a: b"
    folder.mkdir()
    (folder / "-file").write_bytes(data)
    assert call(box, "cp", "-r", str(folder), "box:/tmp/").status == 0
    back = tmp_path / "back"
    assert call(box, "cp", "box:/tmp/a: b/-file", str(back)).status == 0
    assert back.read_bytes() == data
    missing = call(box, "cp", "box:/tmp/nothing", str(back))
    assert missing.status == 1 and "No such file or directory" in missing.err


def test_port_leads_to_the_box_until_the_client_is_ended(box: Box) -> None:
    words = ["ip", "netns", "exec", box.netns, *argv(box, "forward", "9000:8000")]
    client = subprocess.Popen(words, stderr=subprocess.PIPE)
    try:
        assert client.stderr
        assert client.stderr.readline() == b"127.0.0.1:9000 leads to port 8000 of hello\n"
        assert "<title>hello</title>" in box.curl("/", port=9000, login=False).out
    finally:
        client.send_signal(signal.SIGINT)
        client.wait(20)
    assert box.curl("/", port=9000, login=False).err == "000"
