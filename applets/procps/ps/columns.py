"""What ps can show of a process: names, headers and widths as procps has them, values from /proc."""

from __future__ import annotations

import os
import time

from toolbox import processes as p
from toolbox.harmless import harmless
from toolbox.processes import Process, memory, terminal_name, uptime
from toolbox.users import Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Getter = Callable[[Process, "Context"], str | int | float]


class Context:
    """What all rows share: when it is, how large things are, whose names have been looked up."""

    def __init__(
        self, *, numeric: bool = False, environment: bool = False, children: bool = False
    ) -> None:
        """numeric: ids for names; environment: after command lines; children: times with theirs."""
        self.numeric = numeric
        self.children = children
        self.environment = environment
        self.now = time.time()
        self.uptime = uptime()
        self.ticks = os.sysconf("SC_CLK_TCK")
        self.page = os.sysconf("SC_PAGE_SIZE")
        self.memory = memory().get("MemTotal", 0)
        self.names = Names()
        self.prefixes: dict[int, str] = {}

    def seconds_used(self, process: Process) -> float:
        """Processor time of a process in seconds."""
        ticks = process.field(p.UTIME) + process.field(p.STIME)
        if self.children:
            ticks += process.field(p.CUTIME) + process.field(p.CSTIME)
        return ticks / self.ticks

    def resident(self, process: Process) -> int:
        """Memory of a process that is in RAM, in KiB; stat's own figure is an estimate since Linux 6.2."""
        exact = process.status.get("VmRSS", "").split()
        return int(exact[0]) if exact else process.field(p.RSS) * self.page // 1024

    def age(self, process: Process) -> float:
        """Seconds since a process was started."""
        return max(0.0, self.uptime - process.field(p.START) / self.ticks)

    def load(self, process: Process) -> float:
        """Processor time per time since the start, in percent."""
        age = self.age(process)
        return 100 * self.seconds_used(process) / age if age >= 1 / self.ticks else 0.0

    def user(self, uid: int) -> str:
        """The name of a user, when it fits, else the number (POSIX)."""
        return str(uid) if self.numeric else self.names.user(uid)

    def group(self, gid: int) -> str:
        return str(gid) if self.numeric else self.names.group(gid)


class Column:
    """A column.  cut: its text is cut to the width when something follows."""

    __slots__ = ("cut", "format", "get", "header", "is_command", "name", "right", "width")

    def __init__(
        self,
        name: str,
        header: str,
        width: int,
        get: Getter,
        *,
        right: bool = True,
        cut: bool = False,
        format: str = "",
        is_command: bool = False,
    ) -> None:
        self.name = name
        self.header = header
        self.width = width
        self.get = get
        self.right = right
        self.cut = cut
        self.format = format
        self.is_command = is_command

    def named(self, header: str | None = None, width: int | None = None) -> Column:
        """The same column under another header, or with another width."""
        return Column(
            self.name,
            self.header if header is None else header,
            self.width if width is None else width,
            self.get,
            right=self.right,
            cut=self.cut,
            format=self.format,
            is_command=self.is_command,
        )

    def show(self, process: Process, context: Context) -> str:
        """The text of a cell."""
        value = self.get(process, context)
        text = format(value, self.format) if self.format else str(value)
        if self.is_command:
            text = context.prefixes.get(process.pid, "") + text
        return text

    def key(self, process: Process, context: Context) -> Any:
        """What to order by: numbers as numbers."""
        value = self.get(process, context)
        if self.name in _BY_AGE:
            return -context.age(process)
        if self.name in ("time", "bsdtime", "cputime"):
            return context.seconds_used(process)
        return value


_BY_AGE = ("start", "start_time", "stime", "bsdstart", "lstart")


# -- values ---------------------------------------------------------------------------------------


def _escape(text: str) -> str:
    """A line end or an escape sequence in a name must not reach the terminal."""
    return harmless(text, form="?")


def _name(process: Process, context: Context) -> str:
    return _escape(process.name) + (" <defunct>" if process.state == "Z" else "")


def _command(process: Process, context: Context) -> str:
    words = process.arguments
    text = " ".join(words) if words else f"[{process.name}]"
    if context.environment and words:
        environment = os.fsdecode(process.read("environ")).replace("\0", " ")
        text = f"{text} {environment}".rstrip()
    return _escape(text) + (" <defunct>" if process.state == "Z" else "")


def _state(process: Process, context: Context) -> str:
    """BSD's letters after the state: priority, locked pages, session leader, threads, foreground."""
    text = process.state
    nice = process.field(p.NICE)
    text += "<" if nice < 0 else "N" if nice > 0 else ""
    text += "L" if process.status.get("VmLck", "0 kB") != "0 kB" else ""
    text += "s" if process.field(p.SESSION) == process.pid else ""
    text += "l" if process.field(p.THREADS) > 1 else ""
    return text + ("+" if process.field(p.TPGID) == process.field(p.PGRP) else "")


def _clock(seconds: float) -> str:
    whole = int(seconds)
    days, rest = divmod(whole, 86400)
    text = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}-{text}" if days else text


def _elapsed(process: Process, context: Context) -> str:
    whole = int(context.age(process))
    return _clock(whole) if whole >= 3600 else f"{whole // 60:02d}:{whole % 60:02d}"


def _bsd_time(process: Process, context: Context) -> str:
    whole = int(context.seconds_used(process))
    return f"{whole // 60}:{whole % 60:02d}"


def _start(process: Process, context: Context) -> time.struct_time:
    return time.localtime(context.now - context.age(process))


def _start_time(process: Process, context: Context) -> str:
    """The time for one of today, else the date, else the year."""
    then, now = _start(process, context), time.localtime(context.now)
    if then[:3] == now[:3]:
        return time.strftime("%H:%M", then)
    return time.strftime("%b%d" if then[0] == now[0] else "%Y", then)


def _bsd_start(process: Process, context: Context) -> str:
    recent = context.age(process) < 86400
    return time.strftime("%H:%M" if recent else "%b %d", _start(process, context))


def _long_start(process: Process, context: Context) -> str:
    return time.strftime("%a %b %e %H:%M:%S %Y", _start(process, context))


def _started(process: Process, context: Context) -> str:
    recent = context.age(process) < 86400
    return time.strftime("%H:%M:%S" if recent else "  %b %d", _start(process, context))


def _wait_channel(process: Process, context: Context) -> str:
    text = os.fsdecode(process.read("wchan"))
    return text if text not in ("", "0") else "-"


def _share(process: Process, context: Context) -> float:
    """The share of the memory in percent, rounded down as procps does."""
    return context.resident(process) * 1000 // context.memory / 10 if context.memory else 0.0


_POLICIES = {0: "TS", 1: "FF", 2: "RR", 3: "B", 5: "IDL", 6: "DLN"}


def _class(process: Process, context: Context) -> str:
    return _POLICIES.get(process.field(p.POLICY), "?")


def _nice(process: Process, context: Context) -> str | int:
    """Real-time processes have none."""
    return "-" if process.field(p.POLICY) in (1, 2, 6) else process.field(p.NICE)


def _flags(process: Process, context: Context) -> str:
    """1: forked but did not exec, 4: used the superuser's rights (PF_FORKNOEXEC, PF_SUPERPRIV)."""
    return f"{process.field(p.FLAGS) >> 6 & 7:o}"


def _control_group(process: Process, context: Context) -> str:
    lines = os.fsdecode(process.read("cgroup")).splitlines()
    return ",".join(line for line in lines if not line.endswith(":/")) or "-"


def _status(key: str, default: str = "-") -> Getter:
    return lambda process, context: process.status.get(key, default) or default


def _address_and_size(process: Process, context: Context) -> str:
    return f"- {process.field(p.VSIZE) // context.page:5d}"


def _field(number: int) -> Getter:
    return lambda process, context: process.field(number)


def _user(which: int) -> Getter:
    return lambda process, context: context.user(process.ids("Uid")[which])


def _group(which: int) -> Getter:
    return lambda process, context: context.group(process.ids("Gid")[which])


def _uid(which: int) -> Getter:
    return lambda process, context: process.ids("Uid")[which]


def _gid(which: int) -> Getter:
    return lambda process, context: process.ids("Gid")[which]


def _terminal(process: Process, context: Context) -> str:
    return terminal_name(process.field(p.TTY))


def _groups(process: Process, context: Context) -> str:
    numbers = _supplementary(process).split(",")
    return ",".join(context.group(int(number)) for number in numbers if number) or "-"


def _supplementary(process: Process) -> str:
    return ",".join(process.status.get("Groups", "").split())


def _namespace(kind: str) -> Getter:
    return lambda process, context: process.link(f"ns/{kind}").partition("[")[2][:-1] or "-"


def _rollup(process: Process, key: bytes) -> int:
    """The sum in KiB of the lines of smaps_rollup that begin so; 0 where we may not read it."""
    lines = process.read("smaps_rollup").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(key))


# -- the table ------------------------------------------------------------------------------------


def _make() -> dict[str, Column]:
    table: dict[str, Column] = {}

    def add(names: str, header: str, width: int, get: Getter, **more: Any) -> None:
        """The first name is the column's own; NAME:HEADER is a synonym with a header of its own."""
        for word in names.split():
            name, _, own = word.partition(":")
            table[name] = Column(name, own or header, width, get, **more)

    def text(names: str, header: str, width: int, get: Getter, **more: Any) -> None:
        add(names, header, width, get, right=False, **more)

    add("pid tgid:TGID", "PID", 5, lambda process, context: process.pid)
    add("ppid", "PPID", 5, _field(p.PPID))
    add("pgid pgrp:PGRP", "PGID", 5, _field(p.PGRP))
    add("sid sess:SESS session:SESS", "SID", 5, _field(p.SESSION))
    add("tpgid", "TPGID", 5, _field(p.TPGID))
    add("lwp tid:TID spid:SPID", "LWP", 5, lambda process, context: process.thread)
    add("nlwp thcount:THCNT", "NLWP", 4, _field(p.THREADS))
    text("user euser:EUSER uname uid_hack:UID", "USER", 8, _user(1))
    text("ruser", "RUSER", 8, _user(0))
    text("suser svuser:SVUSER", "SUSER", 8, _user(2))
    text("fuser fsuser:FSUSER", "FUSER", 8, _user(3))
    text("group egroup:EGROUP", "GROUP", 8, _group(1))
    text("rgroup", "RGROUP", 8, _group(0))
    text("sgroup svgroup:SVGROUP", "SGROUP", 8, _group(2))
    text("supgid", "SUPGID", 20, lambda process, context: _supplementary(process) or "-")
    text("supgrp", "SUPGRP", 40, _groups)
    add("uid euid:EUID", "UID", 5, _uid(1))
    add("ruid", "RUID", 5, _uid(0))
    add("suid svuid:SVUID", "SUID", 5, _uid(2))
    add("gid egid:EGID", "GID", 5, _gid(1))
    add("rgid", "RGID", 5, _gid(0))
    add("sgid svgid:SVGID", "SGID", 5, _gid(2))
    text("tty tt tname:TTY longtname:TTY", "TT", 8, _terminal)
    text("comm ucomm ucmd:CMD", "COMMAND", 15, _name, cut=True, is_command=True)
    text("args command cmd:CMD", "COMMAND", 27, _command, cut=True, is_command=True)
    text("fname", "COMMAND", 8, lambda process, context: process.name[:8], cut=True)
    text("exe", "EXE", 27, lambda process, context: process.link("exe") or "-", cut=True)
    text("stat", "STAT", 4, _state)
    text("s state", "S", 1, lambda process, context: process.state)
    text("f flag flags", "F", 1, _flags)
    add(
        "time cputime atime",
        "TIME",
        8,
        lambda process, context: _clock(context.seconds_used(process)),
    )
    add("times cputimes", "TIME", 8, lambda process, context: int(context.seconds_used(process)))
    add("bsdtime", "TIME", 6, _bsd_time)
    add("etime", "ELAPSED", 11, _elapsed)
    add("etimes", "ELAPSED", 7, lambda process, context: int(context.age(process)))
    add("start", "STARTED", 8, _started)
    text("start_time stime:STIME", "START", 5, _start_time)
    add("bsdstart", "START", 6, _bsd_start)
    add("lstart", "STARTED", 24, _long_start)
    add("pcpu %cpu", "%CPU", 4, lambda process, context: context.load(process), format=".1f")
    add("c util", "C", 2, lambda process, context: min(99, int(context.load(process))))
    add("cp", "CP", 3, lambda process, context: int(context.load(process) * 10))
    add("pmem %mem", "%MEM", 4, _share, format=".1f")
    add("vsz vsize", "VSZ", 6, lambda process, context: process.field(p.VSIZE) // 1024)
    add("rss rssize rsz:RSZ", "RSS", 5, lambda process, context: context.resident(process))
    add("pss", "PSS", 5, lambda process, context: _rollup(process, b"Pss:"))
    add("uss", "USS", 5, lambda process, context: _rollup(process, b"Private_"))
    add("sz", "SZ", 5, lambda process, context: process.field(p.VSIZE) // context.page)
    add(
        "size", "SIZE", 5, lambda process, context: _kib(process, "VmData") + _kib(process, "VmStk")
    )
    add("trs", "TRS", 4, lambda process, context: _kib(process, "VmExe"))
    add(
        "drs",
        "DRS",
        5,
        lambda process, context: max(0, process.field(p.VSIZE) // 1024 - _kib(process, "VmExe")),
    )
    add("ni nice", "NI", 3, _nice)
    # The kernel counts from -100 (real time) to 39; ps turns it round in three ways.
    add("pri", "PRI", 3, lambda process, context: 39 - process.field(p.PRIORITY))
    add("opri intpri", "PRI", 3, lambda process, context: 60 + process.field(p.PRIORITY))
    add("priority", "PRI", 3, _field(p.PRIORITY))
    add("rtprio", "RTPRIO", 6, lambda process, context: process.field(p.RT_PRIORITY) or "-")
    text("cls class policy:POL", "CLS", 3, _class)
    add("sched", "SCH", 3, _field(p.POLICY))
    add("psr", "PSR", 3, _field(p.PROCESSOR))
    add("cpuid", "CPUID", 5, _field(p.PROCESSOR))
    add("min_flt minflt:MINFLT", "MINFL", 6, _field(p.MINFLT))
    add("maj_flt majflt:MAJFLT pagein:PAGEIN", "MAJFL", 6, _field(p.MAJFLT))
    text("wchan wname", "WCHAN", 6, _wait_channel, cut=True)
    # procps gives the address of -l one place and the size the rest.
    add("addr_1", "ADDR SZ", 7, _address_and_size)
    add("addr", "ADDR", 4, lambda process, context: "-")
    text("cgroup cgname:CGNAME", "CGROUP", 27, _control_group, cut=True)
    text(
        "label context:CONTEXT",
        "LABEL",
        31,
        lambda process, context: os.fsdecode(process.read("attr/current")).rstrip("\0\n") or "-",
    )
    for kind in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts"):
        add(f"{kind}ns", f"{kind.upper()}NS", 10, _namespace(kind))
    add("oom", "OOM", 4, lambda process, context: int(process.read("oom_score") or b"0"))
    add("oomadj", "OOMADJ", 5, lambda process, context: int(process.read("oom_score_adj") or b"0"))
    add("pending sig", "PENDING", 16, _status("SigPnd"))
    add("blocked sigmask sig_block", "BLOCKED", 16, _status("SigBlk"))
    add("ignored sigignore sig_ignore", "IGNORED", 16, _status("SigIgn"))
    add("caught sigcatch sig_catch", "CAUGHT", 16, _status("SigCgt"))
    return table


def _kib(process: Process, key: str) -> int:
    return int(process.status.get(key, "0").split()[0])


COLUMNS = _make()

#: POSIX's other names, of the XSI shells' time: `-o "%p %a"`.
PERCENT = dict(
    zip(
        "CGPUacgnprtuxyz",
        (
            *("pcpu", "group", "ppid", "user", "args", "comm", "rgroup", "nice"),
            *("pid", "pgid", "etime", "ruser", "time", "tty", "vsz"),
        ),
        strict=True,
    )
)
