"""What the commands for a running box ask of ssh, scp and the browser: stand-ins show the words that they are given.

Breaks when a name or a word of the user's becomes an option or another word on its way.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

import pytest
from snakeroot import cli, remote
from snakeroot.commands import box as commands
from snakeroot.host import BuildError

Call = Callable[..., tuple[int, str, str]]

#: Writes its words, each as JSON, and ends with a status of its own.
STAND_IN = f"""#!{sys.executable}
import json, os, sys
print(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]))
sys.exit(7)
"""


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An instance whose box seems to run."""
    folder = tmp_path / "my box"
    (folder / "hello").mkdir(parents=True)
    (folder / "hello" / "hello.py").write_text("")
    (folder / "snakeroot.toml").write_text(
        'hostname = "mybox"\n[services.hello]\npython = "./hello"\nports = [8000, 8001]\n'
        '[services.quiet]\npython = "./hello"\nmodule = "hello"\n'
    )
    (folder / ".build").mkdir()
    (folder / ".build" / "ports").write_text("80 8080\n22 8022\n8000 8003\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("ssh", "scp", "browser"):
        (programs / name).write_text(STAND_IN)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.chdir(tmp_path)
    return folder


class Became(BaseException):
    """Another program would have taken our place."""


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command of ours, and what it becomes, to the end: (status, output, errors)."""

    def become(argv: list[str]) -> None:
        raise Became(argv)

    monkeypatch.setattr(commands, "_become", become)

    def call(*words: str | Path) -> tuple[int, str, str]:
        try:
            status = cli.main([str(word) for word in words])
        except SystemExit as left:
            status = int(left.code or 0)
        except Became as became:
            status = subprocess.run(became.args[0], check=False).returncode
        return status, *capfd.readouterr()

    return call


def words_of(out: str) -> list[str]:
    """The words after the client's own options."""
    found: list[str] = json.loads(out)
    return found[found.index("--") + 1 :]


#: Words of ours -> what the box's shell is to run.
IN_BOX = [
    (["logs"], ["logs", "--"]),
    (["logs", "-f", "hello"], ["logs", "-f", "--", "hello"]),
    (
        ["logs", "hello", "-n", "5", "-k", "--json"],
        ["logs", "-k", "--json", "-n", "5", "--", "hello"],
    ),
    (["logs", "--", "-x; y"], ["logs", "--", "-x; y"]),
    (["services"], ["service"]),
    (["ps"], ["service"]),
    (["services", "--json"], ["service", "--json"]),
    (["status", "hello", "--json"], ["service", "--json", "status", "--", "hello"]),
    (["exec", "hello"], ["service", "exec", "--", "hello", "sh"]),
    (
        ["exec", "hello", "--", "sh", "-c", "echo $HOME 'a b'", "--", ""],
        ["service", "exec", "--", "hello", "sh", "-c", "echo $HOME 'a b'", "--", ""],
    ),
]


@pytest.mark.parametrize(("words", "wanted"), IN_BOX)
def test_words_come_to_the_box_as_they_are(
    box: Path, call: Call, words: list[str], wanted: list[str]
) -> None:
    status, out, err = call("-C", box, *words)
    assert (status, err) == (7, "")
    found = json.loads(out)
    assert found[0] == "ssh" and "-t" not in found
    assert found[found.index("-p") + 1] == "8022"
    destination, line = words_of(out)
    assert destination == "root@127.0.0.1"
    assert shlex.split(line) == wanted


def test_client_takes_our_place(box: Path) -> None:
    path = os.pathsep.join(one for one in sys.path if one)
    done = subprocess.run(
        [sys.executable, "-m", "snakeroot", "-C", box, "services"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 7 and words_of(done.stdout.decode())[-1] == "service"


def test_ssh_passes_the_command_on(box: Path, call: Call) -> None:
    assert words_of(call("-C", box, "ssh")[1]) == ["root@127.0.0.1"]
    found = call("-C", box, "ssh", "-t", "--", "ls", "-l", "$HOME")[1]
    assert words_of(found) == ["root@127.0.0.1", "ls", "-l", "$HOME"]
    assert "-t" in json.loads(found)


COPIES = [
    (["a", "box:/perm/"], ["./a", "root@127.0.0.1:/perm/"]),
    (["box:a b", "-"], ["root@127.0.0.1:a b", "./-"]),
    (["-r", "a:b", "/c", "box:"], ["./a:b", "/c", "root@127.0.0.1:"]),
    (["--", "-odd", "box:x"], ["./-odd", "root@127.0.0.1:x"]),
]


@pytest.mark.parametrize(("words", "wanted"), COPIES)
def test_cp_names_files_so_that_none_is_an_option_or_a_host(
    box: Path, call: Call, words: list[str], wanted: list[str]
) -> None:
    status, out, _ = call("-C", box, "cp", *words)
    assert status == 7 and words_of(out) == wanted
    assert ("-r" in json.loads(out)) == ("-r" in words)
    assert json.loads(out)[0] == "scp"


ADDRESSES = [
    ("192.168.1.20", ("192.168.1.20", 0, "root")),
    ("me@box.local:2222", ("box.local", 2222, "me")),
    ("fe80::1%eth0", ("fe80::1%eth0", 0, "root")),
    ("[::1]", ("::1", 0, "root")),
    ("[::1]:22", ("::1", 22, "root")),
    ("-oProxyCommand=x", None),
    ("-x@host", None),
    ("host:", None),
    ("host:0", None),
    ("host:65536", None),
    ("http://host/", None),
    ("a b", None),
    ("@host", None),
    ("[::1]x", None),
]


@pytest.mark.parametrize(("text", "wanted"), ADDRESSES)
def test_address_of_a_box(text: str, wanted: tuple[str, int, str] | None) -> None:
    if wanted is None:
        with pytest.raises(BuildError, match="--to"):
            remote.parse(text)
    else:
        found = remote.parse(text)
        assert (found.host, found.port, found.user) == wanted


def test_box_that_is_named_has_a_host_key_of_its_own(box: Path, call: Call) -> None:
    _, out, _ = call("-C", box, "services", "--to", "[::1]:2222")
    found = json.loads(out)
    assert words_of(out)[0] == "root@::1" and found[found.index("-p") + 1] == "2222"
    assert not any("HostKeyAlias" in word for word in found)
    assert any(str(box / ".build" / "known_hosts") in word for word in found)
    _, out, _ = call("-C", box, "cp", "a", "box:b", "--to", "me@[::1]:2222")
    assert words_of(out) == ["./a", "me@[::1]:b"]
    assert "HostKeyAlias=mybox" in json.loads(call("-C", box, "services")[1])


def test_box_that_is_named_needs_no_instance(box: Path, call: Call) -> None:
    status, out, _ = call("logs", "--to", "device")
    assert status == 7 and words_of(out) == ["root@device", "logs --"]
    assert not any("known_hosts" in word for word in json.loads(out))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_forward_opens_ports_and_says_so_when_they_are_open(box: Path, call: Call) -> None:
    one, two = free_port(), free_port()
    status, out, err = call("-C", box, "forward", str(one), f"{two}:5432")
    assert (status, err) == (7, "")
    found = json.loads(out)
    assert words_of(out) == ["root@127.0.0.1"] and "-N" in found
    opened = [found[at + 1] for at, word in enumerate(found) if word == "-L"]
    assert opened == [f"127.0.0.1:{one}:localhost:{one}", f"127.0.0.1:{two}:localhost:5432"]
    command = next(word for word in found if word.startswith("LocalCommand="))
    said = subprocess.run(
        command.partition("=")[2].replace("%%", "%"), shell=True, capture_output=True, check=True
    ).stderr
    assert said.decode().splitlines() == [
        f"127.0.0.1:{one} leads to port {one} of mybox",
        f"127.0.0.1:{two} leads to port 5432 of mybox",
        "Ctrl-C ends it",
    ]


def test_page_is_opened_where_there_is_a_browser(
    box: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER", "browser")
    monkeypatch.setattr(webbrowser, "_tryorder", None)  # it looks for browsers once
    status, out, _ = call("-C", box, "ui")
    assert status == 0
    assert out.splitlines()[0] == "http://127.0.0.1:8080/"
    assert json.loads(out.splitlines()[1]) == ["browser", "http://127.0.0.1:8080/"]
    for words, wanted in (
        (["ui", "--print"], "http://127.0.0.1:8080/"),
        (["ui", "hello", "--print"], "http://127.0.0.1:8003/"),
        (["ui", "--print", "--to", "me@device:2222"], "http://device/"),
        (["ui", "hello", "--print", "--to", "[fe80::1]"], "http://[fe80::1]:8000/"),
    ):
        assert call("-C", box, *words) == (0, f"{wanted}\n", "")
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert call("-C", box, "ui") == (0, "http://127.0.0.1:8080/\n", "")


REFUSED = [
    (["cp", "a"], "cp: missing where to"),
    (["cp", "a", "b"], "cp: no path of the box is among them"),
    (["forward", "x"], "'x': is no port, nor two"),
    (["forward", "1:0"], "'1:0': is no port, nor two"),
    (["forward", "99999"], "'99999': is no port, nor two"),
    (["ui", "none"], "there is no service 'none'"),
    (["ui", "quiet"], "services.quiet names no port"),
    (["logs", "--to", "-x"], "argument --to: expected one argument"),
    (["logs", "--to=-x"], "--to -x: is no address of a box"),
    (["logs", "-n", "-1"], "argument -n/--lines"),
    (["exec"], "the following arguments are required: SERVICE"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_wrong_words(box: Path, call: Call, words: list[str], said: str) -> None:
    status, out, err = call("-C", box, *words)
    assert said in err and out == ""
    assert status == (1 if err.startswith("snakeroot: ") else 2)


def test_port_that_is_taken(box: Path, call: Call) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, _, err = call("-C", box, "forward", f"{port}:80")
    assert status == 1
    first, cure = err.splitlines()
    assert first == f"snakeroot: port {port} of 127.0.0.1 is taken"
    assert cure.startswith("  choose another one: forward ") and cure.endswith(":80")


def test_box_that_does_not_run(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (box / ".build" / "ports").unlink()
    for words in (["logs"], ["cp", "a", "box:b"], ["exec", "hello"], ["ui"], ["forward", "1024"]):
        assert cli.main(["-C", str(box), *words]) == 1
        err = capsys.readouterr().err
        assert err.startswith("snakeroot: mybox is not running\n  start it: snakeroot -C ")


def test_box_that_runs_without_a_port_of_the_service(
    box: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (box / ".build" / "ports").write_text("80 8080\n22 8022\n")
    assert cli.main(["-C", str(box), "ui", "hello"]) == 1
    assert "no port of this machine leads to port 8000 of mybox" in capsys.readouterr().err


# -- completion --------------------------------------------------------------------------------------------


def completed(script: Path, folder: Path, *words: str) -> list[str]:
    """What bash completes the last word to."""
    text = f"""
        source {shlex.quote(str(script))}
        COMP_WORDS=({shlex.join(["snakeroot", *words])})
        COMP_CWORD={len(words)}
        _shtab_snakeroot snakeroot "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", text], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode().split()


def test_bash_completes_commands_options_choices_and_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["completion", "bash"]) == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    (tmp_path / "folder").mkdir()
    (tmp_path / "fifth").touch()
    assert completed(script, tmp_path, "stat") == ["status"]
    assert completed(script, tmp_path, "-C", "folder", "stat") == ["status"]
    assert completed(script, tmp_path, "-C", "f") == ["folder"]
    assert sorted(completed(script, tmp_path, "add", "f")) == ["fifth", "folder"]
    assert "--follow" in completed(script, tmp_path, "logs", "--")
    assert set(completed(script, tmp_path, "completion", "")) == {"bash", "zsh", "fish"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command_and_option(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["completion", shell]) == 0
    text = capsys.readouterr().out
    (commands,) = cli.parser()._subparsers._group_actions  # type: ignore[union-attr]
    for name, command in commands.choices.items():  # type: ignore[union-attr]
        assert name in text
        for option in command._option_string_actions:
            assert option.lstrip("-") in text
