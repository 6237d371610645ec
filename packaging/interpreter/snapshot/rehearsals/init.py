"""What init does as a box starts, without a network and a clock: heat.py watches it.

Run from the image by `-c`, in an empty folder.  Nothing in it may differ between two runs.
"""

import os
import time

from applets.init import config as services
from applets.init import early
from applets.init.console import say_on_standard_error
from applets.init.supervisor import Clocks, Supervisor
from toolbox.linux import blockdev, hostname, modules, mount

# A minute below ten is padded, another one is not: all is done at one moment.
time.time, time.monotonic = (lambda: 1e9), (lambda: 1000.0)
os.utime(".", (1e9, 1e9))

# A machine is made ready, but for what would change the one that this runs on.
for module, function in ((mount, "mount"), (hostname, "sethostname"), (modules, "load")):
    setattr(module, function, lambda *arguments: None)
blockdev.SYSFS = "sys"
lines: list[str] = []
os.makedirs("sys/one")
for name, text in (("modules", "/one.ko\n"), ("sys/one/uevent", "PARTNAME=one\n")):
    with open(name, "w") as file:
        file.write(text)
early._mount(*("mnt", "tmpfs", "mnt", ("nosuid", "nodev"), "mode=0755"))
early.crash_log(lines.append, "crash")
early.standard_descriptors()
early.load_modules(lines.append, [], "modules")
early.host_name(lines.append, "box")
early.sysctl(lines.append, {})
blockdev.find_by_partition_label("perm")

_fork = os.fork


def fork() -> int:
    """fork(2): the child has ended before its parent goes on, and its number is the same in every run."""
    pid = _fork()
    if pid == 0:
        return 0
    os.waitpid(pid, 0)
    return 1000


# Services are read and supervised.  The one that is due becomes a process whose program no machine has.
os.fork = fork
TEXT = b'{"services": {"one": {"command": ["/dev/null/one"], "ready": "notify", "wait_for": ["network"]}}}'
box = Supervisor(Clocks(lambda: 1000.0, lambda: 1e9, lambda: 0.5), say_on_standard_error, {})
box.server.listen("control")
box.receive_notifications("notify")
box.add_services(services.parse(TEXT))
box.settle()
box.describe("one")
