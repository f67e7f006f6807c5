"""What the Python clients of the storm share. Each line that a client prints is a promise the oracle checks, or tells what went wrong:

  try WHAT       it is about to ask for WHAT        ok WHAT       the calls that do so have all returned success
  failed ERRNO   a call failed that should not      wrong TEXT    what a call returned is not what was promised
  cut            the mount is gone, as when both of its processes were killed
"""

import errno
import os
import sys
import time

round_number = int(os.environ['STORM_ROUND'])
_stop = os.environ['STORM_STOP']
_cut = (errno.ENOTCONN, errno.ECONNABORTED)


def say(*words):
    sys.stdout.write(' '.join(str(word) for word in words) + '\n')
    sys.stdout.flush()


def more():
    """True until the round is over. A client rests for a moment between what it does."""
    time.sleep(0.01)
    return not os.path.exists(_stop)


def attempt(what, function, *arguments, refused=()):
    """Calls a function. Returns (its result, None), or (None, the errno's name); one that is not in `refused` is told."""
    try:
        return function(*arguments), None
    except OSError as error:
        name = errno.errorcode.get(error.errno, str(error.errno))
        if error.errno in _cut:
            say('cut')
            os._exit(0)
        if name not in refused:
            say('failed', name, what)
        return None, name


def write(path, text, flags=os.O_WRONLY | os.O_TRUNC, sync=False, refused=()):
    """Opens, writes, syncs perhaps, closes. Returns None when all succeeded, else the errno's name of the first call that did not."""
    fd, failure = attempt(f'open {path}', os.open, path, flags, 0o644, refused=refused)
    if fd is None:
        return failure
    _, failure = attempt(f'write {path}', os.write, fd, text.encode(), refused=refused)
    if sync and failure is None:
        _, failure = attempt(f'fsync {path}', os.fsync, fd, refused=refused)
    _, closing = attempt(f'close {path}', os.close, fd, refused=refused)
    return failure or closing


def read(path):
    """The text of a file; None when a call failed, which is told."""
    fd, _ = attempt(f'open {path}', os.open, path, os.O_RDONLY)
    if fd is None:
        return None
    data, _ = attempt(f'read {path}', os.read, fd, 65536)
    attempt(f'close {path}', os.close, fd)
    return None if data is None else data.decode()


def expect(what, found, wanted):
    """Compares what a call returned with what was promised; None: the call has failed, and told so."""
    if found is not None and found != wanted:
        say('wrong', f'{what}: {found!r}, not {wanted!r}')
