"""A throw-away machine for tests that others wrote: they may damage whatever they see.

    command(program, tests, results, words)   the words that run `words` in it

Namespaces of its own for users, mounts, processes, network, IPC and the host's name; the user in it is root
of these and nobody outside.  Its root is a tmpfs with the program as /bin/python, BusyBox as the other
commands, CPython's tests in /suite, /results (the one folder whose contents stay), and a few files of the host;
what is not its own is read-only.  Killing the command ends every process in it.  It needs no root, but user namespaces.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

NAMESPACES = [
    *("--user", "--map-root-user", "--mount", "--pid", "--net", "--ipc", "--uts"),
    *("--fork", "--kill-child"),
]

#: $1 the program, $2 CPython's package `test`, $3 inside.py, $4 results, $5 BusyBox; the rest is the command.
SETUP = r"""
set -e
program=$1 tests=$2 inside=$3 results=$4 busybox=$5
shift 5
host() { mount --bind "$1" "$2"; mount -o remount,bind,ro "$2"; }
mount --make-rprivate /
root=$results/root
mkdir -p "$root"
mount -t tmpfs -o mode=755,size=3g root "$root"
cd "$root"
mkdir bin lib dev dev/pts dev/shm etc old proc results root suite suite/test sys tmp usr usr/bin usr/share var var/tmp
chmod 1777 tmp var/tmp dev/shm
touch bin/busybox bin/python
host "$busybox" bin/busybox
host "$program" bin/python
touch suite/inside.py
host "$inside" suite/inside.py
host "$tests" suite/test
# What the programs have in C alone is compared with its Python.
for file in "$tests"/../_py*.py; do [ ! -f "$file" ] || cp "$file" suite; done
mount --bind "$results" results
for name in null zero full random urandom; do
    touch dev/$name
    host /dev/$name dev/$name
done
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for pair in 0stdin 1stdout 2stderr; do ln -s /proc/self/fd/${pair%%[a-z]*} dev/${pair#?}; done
for folder in usr/share/zoneinfo usr/share/terminfo lib/terminfo; do
    [ -d /$folder ] || continue
    mkdir -p $folder
    host /$folder $folder
done
for file in services protocols; do [ ! -f /etc/$file ] || cp /etc/$file etc; done
echo 'root:x:0:0:root:/root:/bin/sh' > etc/passwd
echo 'nobody:x:65534:65534:nobody:/:/bin/false' >> etc/passwd
printf 'root:x:0:\nnogroup:x:65534:\n' > etc/group
printf '127.0.0.1 localhost\n::1 localhost\n' > etc/hosts
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
mount -t proc proc proc
bin/busybox ip link set lo up
bin/busybox hostname regrtest
pivot_root . old
exec /bin/busybox chroot . /bin/busybox sh -c '
    /bin/busybox umount -l /old
    /bin/busybox --install -s /bin
    ln -s /bin/env /usr/bin/env
    mkdir /tmp/work && cd /tmp/work
    setsid "$@" < /dev/null
    status=$?
    # The first process must outlive the command, not become it: it would be deaf to signals.
    exit $status' sh "$@"
"""

#: The environment, outside (for the programs that make the sandbox) and inside.
ENVIRONMENT = {
    "PATH": "/bin:/usr/bin:/sbin:/usr/sbin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PYTHONPATH": "/suite",
    "PYTHONDONTWRITEBYTECODE": "1",
    "TERM": "linux",
}


def command(program: Path, tests: Path, results: Path, words: Sequence[str]) -> list[str]:
    """The words that run `words` with `program` as /bin/python; `results` is seen as /results.

    `tests` is CPython's Lib/test, seen as /suite/test beside inside.py.

    FileNotFoundError: there is no BusyBox.
    """
    busybox = shutil.which("busybox")
    if busybox is None:
        raise FileNotFoundError("busybox is missing: install the package busybox-static")
    inside = Path(__file__).with_name("inside.py")
    places = [str(path.resolve()) for path in (program, tests, inside, results)]
    return ["unshare", *NAMESPACES, "sh", "-c", SETUP, "sandbox", *places, busybox, *words]
