"""The peer in Python: one read-only file, /control, on fusepy. Nothing is cached: both timeouts 0, direct I/O."""

import errno
import stat
import sys

import fusepy

CONTENT = b"a control file\n"
DIRECTORY = {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
CONTROL = {"st_mode": stat.S_IFREG | 0o444, "st_nlink": 1, "st_size": 1000}


class Hello(fusepy.Operations):
    def getattr(self, path, fh=None):
        if path == "/":
            return DIRECTORY
        if path == "/control":
            return CONTROL
        raise fusepy.FuseOSError(errno.ENOENT)

    def open(self, path, flags):
        return 1

    def read(self, path, size, offset, fh):
        return CONTENT[offset : offset + size]


fusepy.FUSE(
    Hello(),
    sys.argv[1],
    foreground=True,
    nothreads=True,
    attr_timeout=0,
    entry_timeout=0,
    negative_timeout=0,
    direct_io=True,
    default_permissions=True,
    allow_other=True,
)
