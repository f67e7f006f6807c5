#!/usr/bin/env python3
"""Lists a directory, or does what --command says, while another client asks the mount for statvfs(2), which no cache answers.

usage: bench/beside.py MOUNTPOINT DIRECTORY, or: bench/beside.py MOUNTPOINT --command 'find nf-types -ls'
Prints how long the one took, and the median and the longest time of the other.
"""

import os
import statistics
import subprocess
import sys
import time

LIST = "import os, sys; print(sum(1 for _ in os.scandir(sys.argv[1])), 'names')"


def main(mountpoint, *rest):
    command = ["bash", "-c", rest[1]] if rest[0] == "--command" else [sys.executable, "-c", LIST, os.path.abspath(rest[0])]
    began = time.monotonic()
    busy = subprocess.Popen(command, cwd=mountpoint)
    times = []
    while busy.poll() is None:
        asked = time.monotonic()
        os.statvfs(mountpoint)
        times.append((time.monotonic() - asked) * 1000)
        time.sleep(0.0005)
    print(f"{time.monotonic() - began:.2f} s; beside it {len(times)} statvfs: median {statistics.median(times):.2f} ms, longest {max(times):.1f} ms")


main(*sys.argv[1:])
