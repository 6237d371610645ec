"""What the daemons of a box do as they start, without a network, a process or a clock: heat.py watches it.

Run from the image by `-c`, in an empty folder.  Nothing in it may differ between two runs.
"""

import os
import socket
import time

from applets.dhcp.machine import Client, Settings
from applets.init import config as services
from applets.init import early
from applets.init.console import say_on_standard_error
from applets.init.supervisor import Clocks, Supervisor
from applets.ntp import machine as ntp
from toolbox import multicall
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

# A lease is looked for.
client = Client(b"\2\0\0\0\0\1", lambda: 0.5, Settings())
client.start(1000.0)
client.tick(1004.0)

# Time servers are asked.
asking = ntp.Client(1e9, bytes, lambda: 0.5)
asking.use(["127.0.0.1"], 1000.0)
asking.tick(1000.0)

# Services are read and supervised; none is started.
TEXT = b'{"services": {"one": {"command": ["one"], "ready": "notify", "wait_for": ["network"]}}}'
box = Supervisor(Clocks(lambda: 1000.0, lambda: 1e9, lambda: 0.5), say_on_standard_error, {})
box.server.listen("control")
box.receive_notifications("notify")
box.add_services(services.parse(TEXT))
box.settle()
box.describe("one")

# A page is served.
here, there = socket.socketpair()
there.sendall(b"GET / HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n")
os.dup2(here.fileno(), 0)
os.dup2(here.fileno(), 1)
multicall.call(["httpd", "-i", "-h", "."])
