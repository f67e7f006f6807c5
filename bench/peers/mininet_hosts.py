"""The peer for hosts: COUNT Mininet hosts on one Linux bridge, without a controller. Prints seconds, as JSON, of what was done.

up: from nothing to all hosts up; check: host 1 pings the last host; down: until nothing is left.
"""

import json
import signal
import sys
import time

from mininet.net import Mininet
from mininet.nodelib import LinuxBridge
from mininet.topo import SingleSwitchTopo

count = int(sys.argv[1])
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda *_: sys.exit(1))

start = time.monotonic()
network = Mininet(topo=SingleSwitchTopo(count), switch=LinuxBridge, controller=None, build=False)
try:
    network.build()
    network.start()
    up = time.monotonic()
    last = network.get(f"h{count}")
    output = network.get("h1").cmd(f"ping -c 1 -W 5 {last.IP()}")
    if " 0% packet loss" not in output:
        sys.exit(f"h1 cannot reach h{count}: {output}")
    checked = time.monotonic()
finally:
    network.stop()
print(json.dumps({"up": up - start, "check": checked - up, "down": time.monotonic() - checked}))
