"""What a box's clients and servers of the network do as they start, without a network and a clock: heat.py watches it.

Run from the image by `-c`, in an empty folder.  Nothing in it may differ between two runs.
"""

import os
import socket
import time

from applets.dhcp.machine import Client, Settings
from applets.ntp import machine as ntp
from toolbox import multicall

# A minute below ten is padded, another one is not: all is done at one moment.
time.time, time.monotonic = (lambda: 1e9), (lambda: 1000.0)
os.utime(".", (1e9, 1e9))

# A lease is looked for.
client = Client(b"\2\0\0\0\0\1", lambda: 0.5, Settings())
client.start(1000.0)
client.tick(1004.0)

# Time servers are asked.
asking = ntp.Client(1e9, bytes, lambda: 0.5)
asking.use(["127.0.0.1"], 1000.0)
asking.tick(1000.0)

# A page is served.
here, there = socket.socketpair()
there.sendall(b"GET / HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n")
os.dup2(here.fileno(), 0)
os.dup2(here.fileno(), 1)
multicall.call(["httpd", "-i", "-h", "."])
