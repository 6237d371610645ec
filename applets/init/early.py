"""What a machine's init does before the first service: mounts, modules, host name, loopback, /perm.

Every step is attempted once, reported when it fails, and never the end: a box that could not mount /tmp
is still a box that can be looked into.  What is there already (an initramfs stage did it) is left alone.
"""

from __future__ import annotations

import errno
import os

from toolbox.linux import pstore
from toolbox.linux.pstore import CRASH_LOG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from applets.init.config import Config

    Log = Callable[[str], None]

#: The kernel modules to load, one path a line, in their order; written by the builder.
MODULES = "/etc/snakeroot/modules"

#: Where persistent data lives, and the label of its partition or file system.
PERM = "/perm"

#: Mount point, type, source, flags, options.  No programs are run and no devices opened from what services can
#: write (nosuid, nodev).  What lies in memory has a share of it (`bounded`): together they leave half to the
#: programs, so that whoever fills them all stops himself, and not the box.
MOUNTS = (
    ("/dev", "devtmpfs", "dev", ("nosuid",), "mode=0755"),
    ("/proc", "proc", "proc", ("nosuid", "nodev", "noexec"), ""),
    ("/sys", "sysfs", "sys", ("nosuid", "nodev", "noexec"), ""),
    ("/dev/pts", "devpts", "devpts", ("nosuid", "noexec"), "gid=5,mode=0620,ptmxmode=0666"),
    ("/dev/shm", "tmpfs", "shm", ("nosuid", "nodev"), "mode=1777,share=10"),
    ("/run", "tmpfs", "run", ("nosuid", "nodev"), "mode=0755,share=10"),
    ("/tmp", "tmpfs", "tmp", ("nosuid", "nodev"), "mode=1777,share=20"),
    # The owner's home: the root is read-only, and /perm may be broken when it is needed.
    ("/root", "tmpfs", "root", ("nosuid", "nodev"), "mode=0700,share=10"),
    ("/sys/fs/cgroup", "cgroup2", "cgroup", ("nosuid", "nodev", "noexec"), "nsdelegate"),
)

#: Where the box itself keeps what outlives a restart.
OWN_STATE = f"{PERM}/snakeroot"

#: Where dhcp's leases lie.
LEASES = "/run/dhcp"

#: Names that programs expect beside the devices.
LINKS = (
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "fd/0"),
    ("/dev/stdout", "fd/1"),
    ("/dev/stderr", "fd/2"),
)

# netdevice(7), linux/if.h
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


def attempt(log: Log, what: str, step: Callable[..., object], *arguments: object) -> bool:
    """Do one step; False, after a line in the log, when it fails."""
    try:
        step(*arguments)
    except OSError as error:
        log(f"{what}: {error.strerror or error}")
    except Exception as error:  # whatever it is, the boot goes on
        log(f"{what}: {type(error).__name__}: {error}")
    else:
        return True
    return False


def standard_descriptors() -> None:
    """Make sure that 0, 1 and 2 are open: the kernel leaves them closed when it finds no console.

    Otherwise the next file to be opened would take their place and be written to as standard error.
    """
    for wanted in (0, 1, 2):
        try:
            os.fstat(wanted)
        except OSError:
            for path in ("/dev/console", os.devnull):
                try:
                    os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
                    break
                except OSError:
                    continue


def mounts(
    log: Log, table: tuple[tuple[str, str, str, tuple[str, ...], str], ...] = MOUNTS
) -> None:
    """Mount what is not mounted, from `MOUNTS`."""
    for entry in table:
        attempt(log, f"mount {entry[0]}", _mount, *entry)
    for name, target in LINKS:
        if not os.path.lexists(name):
            attempt(log, f"link {name}", os.symlink, target, name)


def _mount(target: str, kind: str, source: str, flags: tuple[str, ...], data: str) -> None:
    from toolbox.linux import mount as door

    if is_mount_point(target):
        return
    os.makedirs(target, exist_ok=True)
    bits = 0
    for flag in flags:
        bits |= getattr(door, f"MS_{flag.upper()}")
    # An older kernel may lack an option; the last try has none.
    shared = "share=" in data
    limits = shared and door.knows(kind, "usrquota")
    tries = list(dict.fromkeys((*bounded(data, limits=limits), "" if shared else data, "")))
    for words in tries:
        try:
            door.mount(source, target, kind, bits, words)
            return
        except OSError as error:
            if error.errno == errno.EBUSY:
                return  # it is there already
            if error.errno != errno.EINVAL or words == tries[-1]:
                raise


#: A tmpfs has a file for so many bytes of its size: an empty one takes a kilobyte of the kernel's memory.
BYTES_PER_FILE = 4096


def bounded(data: str, memory: int | None = None, *, limits: bool = False) -> list[str]:
    """A tmpfs's options with its share of the memory in the kernel's words, the best first.

    `share=20` becomes 20 % of the memory that is there when the box starts (an image in memory is not), as many files
    as go with that, and, where everybody may write, half of both for each user at most.
    memory: bytes; by default what the kernel says is available    limits: whether its tmpfs can limit users
    (Linux 6.6 with CONFIG_TMPFS_QUOTA)
    """
    words = data.split(",")
    shares = [int(word.removeprefix("share=")) for word in words if word.startswith("share=")]
    if not shares:
        return [data]
    rest = [word for word in words if not word.startswith("share=")]
    memory = _available() if memory is None else memory
    if not memory:
        return [",".join([*rest, f"size={shares[0]}%"])]
    size = max(memory * shares[0] // 100, 1 << 20)
    files = max(size // BYTES_PER_FILE, 1024)
    found = [",".join([*rest, f"size={size >> 10}k", f"nr_inodes={files}"])]
    if "mode=1777" in words and limits:
        each = f"usrquota_block_hardlimit={size >> 11}k,usrquota_inode_hardlimit={files // 2}"
        found.insert(0, f"{found[0]},usrquota,{each}")
    return found


def _available() -> int:
    """Bytes of memory that programs can have, as the kernel says; 0 when it cannot be asked."""
    from toolbox.linux.memory import sizes

    found = sizes()
    return found.get("MemAvailable") or found.get("MemTotal", 0)


def is_mount_point(path: str) -> bool:
    """Whether something is mounted there, by device numbers: /proc may not be there to ask."""
    try:
        here, above = os.lstat(path), os.stat(os.path.join(path, ".."))
    except OSError:
        return False
    return here.st_dev != above.st_dev or here.st_ino == above.st_ino


def crash_log(log: Log, folder: str = pstore.FOLDER, path: str = CRASH_LOG) -> None:
    """Say how the last boot ended when the kernel left a word of it, and keep the whole of that.

    The kernel's own record goes: the next one is to be of another boot.
    """
    if not os.path.isdir(folder):
        return
    pstore.mount(folder)
    if text := pstore.take(folder):
        log(f"the last boot ended in a panic: {pstore.reason(text) or f'see {path}'}")
        with open(path, "w") as file:
            file.write(text)


def load_modules(log: Log, names: list[str], path: str = MODULES) -> None:
    """Load the modules that the builder listed, then those that the services file names."""
    listed: list[str] = []
    if os.path.exists(path):
        attempt(log, path, lambda: listed.extend(_lines(path)))
    for line in listed:
        file, _, parameters = line.partition(" ")
        attempt(log, f"module {file}", _load_module, file, parameters)
    for name in names:
        attempt(log, f"module {name}", _load_module if name.startswith("/") else _modprobe, name)


def _load_module(file: str, parameters: str = "") -> None:
    from toolbox.linux import modules as door

    try:
        door.load(file, parameters)
    except FileExistsError:
        pass  # loaded, or compiled into the kernel


def _modprobe(name: str) -> None:
    from toolbox.multicall import call

    if status := call(["modprobe", name]):
        raise OSError(errno.ENOENT, f"modprobe ended with status {status}")


def host_name(log: Log, name: str | None) -> None:
    """Set the host name: the services file's, else that of /etc/hostname."""
    from toolbox.linux import hostname as door

    if name is None and os.path.exists("/etc/hostname"):
        name = next(iter(_lines("/etc/hostname")), None)
    if name is not None:
        attempt(log, f"host name {name}", door.sethostname, name)


def sysctl(log: Log, settings: dict[str, str], root: str = "/proc/sys") -> None:
    """Write kernel parameters (proc_sys(5)).

    A part `*` of a name is every one there (of the interfaces: those that are, and `default` for those that come);
    with `-` before the name it is no error that the kernel does not have it.
    """
    for name, value in settings.items():
        bare = name.removeprefix("-")
        # Names with dots inside a part (an interface eth0.1) are written with slashes, as sysctl(8) does.
        parts = bare.split("/" if "/" in bare else ".")
        paths = _matching(root, parts)
        if not paths and name == bare:
            log(f"sysctl {name}: the kernel has none")
        for path in paths:
            if name == bare or os.path.exists(path):
                attempt(log, f"sysctl {name}", _write, path, value)


def _matching(folder: str, parts: list[str]) -> list[str]:
    """The paths that a parameter's name stands for, whether they are there or not."""
    if "*" not in parts:
        return [os.path.join(folder, *parts)]
    at = parts.index("*")
    above = os.path.join(folder, *parts[:at])
    try:
        names = sorted(os.listdir(above))
    except OSError:
        return []
    return [p for name in names for p in _matching(os.path.join(above, name), parts[at + 1 :])]


def loopback() -> None:
    """Bring the loopback interface up; the kernel then gives it its addresses.  OSError as netdevice(7)."""
    import fcntl
    import socket
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh22x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(sock, _SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | _IFF_UP))


def perm(log: Log, path: str = PERM) -> None:
    """Mount the persistent partition at /perm, or a tmpfs where there is none or it cannot be mounted."""
    from toolbox.linux import mount as door
    from toolbox.storage.perm import LABEL

    if is_mount_point(path):
        return
    os.makedirs(path, exist_ok=True)
    flags = door.MS_NOSUID | door.MS_NODEV
    device = find_perm(log)
    what = f"mount {path} from {device}"
    if device:
        attempt(log, f"grow {device}", _grow_partition, log, device)
    if device and attempt(log, what, _mount_perm, log, device, path, flags):
        log(f"{path} is {device}")
        attempt(log, f"grow {path}", _grow_file_system, log, device, path)
        return
    if device is None:
        log(f"no partition is labelled {LABEL}: {path} is in memory and is lost at power-off")
    attempt(log, f"mount {path}", door.mount, "perm", path, "tmpfs", flags, "mode=0755")


def _mount_perm(log: Log, device: str, path: str, flags: int) -> None:
    """Mount it, with quotas where it was made with them; they never decide whether it is there.

    A kernel that cannot count what users have refuses an ext4 that wants it, but only to write.
    """
    from toolbox.linux import mount as door
    from toolbox.storage import ext4

    try:
        counts = ext4.has_quota(device)
    except OSError:
        counts = False  # the kernel says better what is wrong with it
    try:
        door.mount(device, path, "ext4", flags, "usrquota" if counts else "")
        return
    except OSError as error:
        if not counts:
            raise
        refused = error
    # Its journal is written back by this, too: nothing in that undoes what follows.
    door.mount(device, path, "ext4", flags | door.MS_RDONLY)
    door.umount(path)
    if not ext4.drop_quota(device):
        raise refused
    log(f"{path} goes on without quotas, which this kernel refuses: {refused.strerror}")
    door.mount(device, path, "ext4", flags)


def _grow_partition(log: Log, device: str) -> None:
    """The image's partition is small; the disk that it was written to is not."""
    from toolbox.storage import grow

    if grow.grow_partition(device):
        log(f"{device} now reaches to the end of its disk")


def _grow_file_system(log: Log, device: str, path: str) -> None:
    from toolbox.storage import grow

    if grow.grow_ext4(device, path):
        log(f"{path} now fills {device}")


def find_perm(log: Log) -> str | None:
    """The block device of /perm (toolbox/storage/perm.py)."""
    from toolbox.storage.perm import LABEL, find

    found: list[str] = []

    def look() -> None:
        device = find()
        if device is not None:
            found.append(device)

    attempt(log, f"looking for {LABEL}", look)
    return found[0] if found else None


def prepare(log: Log, config: Callable[[], Config]) -> Config:
    """All of it in its order; `config` reads the services file, once that can be read."""
    os.umask(0o022)
    attempt(log, "working directory", os.chdir, "/")
    mounts(log)
    attempt(log, "crash log", crash_log, log)
    standard_descriptors()
    # dhcp writes its leases there, and others, who are not root, look for them.
    attempt(log, LEASES, os.makedirs, LEASES, 0o755, True)
    read = config()
    attempt(log, "modules", load_modules, log, read.modules)
    attempt(log, "host name", host_name, log, read.hostname)
    attempt(log, "sysctl", sysctl, log, read.sysctl)
    attempt(log, "loopback", loopback)
    attempt(log, "/perm", perm, log)
    attempt(log, "quotas", _quotas, log, read)
    attempt(log, OWN_STATE, _own_state)
    attempt(log, "Ctrl-Alt-Del", _own_the_keys)
    return read


def _quotas(log: Log, config: Config) -> None:
    from applets.init import quotas

    quotas.limit(log, config.services.values())


def _own_state() -> None:
    """The folder of what the box itself keeps: its files say who may read them, and some the page shows."""
    os.makedirs(OWN_STATE, 0o755, exist_ok=True)
    os.chmod(OWN_STATE, 0o755)


def _own_the_keys() -> None:
    """Ctrl-Alt-Del sends SIGINT to init instead of resetting the machine (reboot(2))."""
    from toolbox.linux import power

    power.ctrl_alt_del(False)


def _lines(path: str) -> list[str]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = b""
        while block := os.read(fd, 1 << 16):
            data += block
    finally:
        os.close(fd)
    lines = (line.strip() for line in os.fsdecode(data).split("\n"))
    return [line for line in lines if line and not line.startswith("#")]


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
