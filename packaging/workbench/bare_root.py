"""A bare root of a release of Debian, and commands that run in it as on a machine of its own.

debootstrap fills a folder with the packages that no Debian is without.  A command in it has namespaces of its own:
its mounts, processes and host name are gone when it ends, however it ends, and nothing of this machine's is mounted
but the few device files that every program expects.  Only the network is shared.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from interpreter.client import Client, UnavailableError
from interpreter.indices import ORIGINS, Mirror, mirrors
from interpreter.workshop import BuildError, run

#: The releases that ./dev fresh knows, oldest first; the last one is in the making.
SUITES = ("bookworm", "trixie", "forky")

#: A release that this machine's debootstrap has not heard of is made as this one.
NEWEST = "sid"

SCRIPTS = Path("/usr/share/debootstrap/scripts")

KEYRING = ORIGINS["debian"]

#: What of this machine's environment says how the network is reached; and the files that do, which are copied.
NETWORK_WORDS = (
    *("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
    *("PIP_CERT", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_PROXY", "PIP_DEFAULT_TIMEOUT"),
    *("CARGO_HTTP_PROXY", "CARGO_HTTP_CAINFO"),
)
NETWORK_FILES = (
    *("etc/resolv.conf", "etc/hosts", "etc/pip.conf"),
    "usr/local/share/ca-certificates",
)

#: Device files, which are the kernel's and no disk's.
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "kvm")

#: The root's mounts, its device files and its end: the first process there reaps what loses its parent.
#: No command may set the clock, load modules or restart the machine: what an installed package starts is not asked.
ENTER = """\
set -e
root=$1 folder=$2
shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in {devices}; do
    if [ -e /dev/$name ]; then
        : >"$root/dev/$name"
        mount --bind /dev/$name "$root/dev/$name"
    fi
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t tmpfs tmpfs "$root/run"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for i in 0:stdin 1:stdout 2:stderr; do
    ln -s fd/${{i%:*}} "$root/dev/${{i#*:}}"
done
exec setpriv --bounding-set=-sys_time,-sys_module,-sys_boot \\
    chroot "$root" sh -c 'cd "$1" && shift && "$@"; exit $?' sh "$folder" "$@"
"""

#: Programs that a package would start when it is installed are not started.
POLICY = "#!/bin/sh\nexit 101\n"


@dataclass(frozen=True)
class BareRoot:
    """The root of a release, in a folder."""

    suite: str
    folder: Path

    def make(self, log: Path) -> None:
        """Make it anew.  BuildError names what failed."""
        shutil.rmtree(self.folder, ignore_errors=True)
        part = self.folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.parent.mkdir(parents=True, exist_ok=True)
        main, security = _mirrors()
        words: list[str | Path] = ["debootstrap", "--variant=minbase", f"--keyring={KEYRING}"]
        words += [self.suite, part, main]
        if not (SCRIPTS / self.suite).exists():
            words.append(SCRIPTS / NEWEST)
        # What it mounts there vanishes with it.
        run([*_namespaces(), *words], log=log)
        lines = [f"deb {main} {self.suite}{suffix} main\n" for suffix in ("", "-updates")]
        if security:
            lines.append(f"deb {security} {self.suite}-security main\n")
        (part / "etc/apt/sources.list").write_text("".join(lines))
        policy = part / "usr/sbin/policy-rc.d"
        policy.write_text(POLICY)
        policy.chmod(0o755)
        part.replace(self.folder)

    def take_network(self) -> None:
        """Copy how this machine reaches the network."""
        for name in NETWORK_FILES:
            there, here = self.folder / name, Path("/", name)
            if here.is_dir():
                shutil.copytree(here, there, dirs_exist_ok=True)
            elif here.exists():
                there.parent.mkdir(parents=True, exist_ok=True)
                there.unlink(missing_ok=True)
                shutil.copy(here, there)

    def put(self, checkout: Path, folder: str) -> None:
        """Copy what git knows of a checkout, with its changes, and what it does not ignore."""
        target = self.folder / folder.lstrip("/")
        shutil.rmtree(target, ignore_errors=True)
        for name in files(checkout):
            there = target / name
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(checkout / name, there, follow_symlinks=False)

    def run(
        self, argv: list[str], folder: str = "/", environment: Mapping[str, str] | None = None
    ) -> int:
        """Run a command there; what it prints is printed.  Its status, 1 for a signal."""
        words = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "TERM": os.environ.get("TERM", "dumb"),
            **{name: os.environ[name] for name in NETWORK_WORDS if name in os.environ},
            **(environment or {}),
        }
        script = ENTER.format(devices=" ".join(DEVICES))
        command: list[str | Path] = [
            *_namespaces(),
            "sh",
            "-c",
            script,
            "sh",
            self.folder,
            folder,
            *argv,
        ]
        done = subprocess.run(command, env=words, stdin=subprocess.DEVNULL, check=False)
        return done.returncode if done.returncode >= 0 else 1


def _namespaces() -> list[str]:
    words = ["--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--ipc"]
    return ["unshare", *words, "--uts"]


def _mirrors() -> tuple[str, str]:
    """This machine's mirror of Debian, and that of its security updates."""
    try:
        found: list[Mirror] = [one for one in mirrors(Client()) if one.origin == "debian"]
    except UnavailableError as error:
        raise BuildError(str(error)) from None
    main = [one.uri for one in found if not one.security]
    if not main:
        raise BuildError("this machine's apt has no mirror of Debian")
    return main[0], next((one.uri for one in found if one.security), "")


def files(checkout: Path) -> list[str]:
    """What git knows of a checkout and is there, and what it does not ignore; sorted."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(words, cwd=checkout, capture_output=True, check=False)
    if done.returncode:
        raise BuildError(f"{checkout} is no git checkout: {done.stderr.decode().strip()}")
    names = sorted(name for name in os.fsdecode(done.stdout).split("\0") if name)
    return [name for name in names if (checkout / name).is_symlink() or (checkout / name).is_file()]
