import type { Kind } from '../kind.ts';

/** One that waits by poll(2) for a value to change, over kills too, and one that changes it: each change wakes. */
export const polls: Kind = {
  name: 'polls',
  setUp: 'mkdir -p nf-types/host/polls',
  program: {
    language: 'python',
    text: String.raw`
import select, threading
from storm import *
path = 'nf-types/host/polls/machine/ip'
seen = threading.Condition()
last = None

def watch():
    global last
    fd, _ = attempt('open', os.open, path, os.O_RDONLY)
    poll = select.poll()
    poll.register(fd, select.POLLPRI | select.POLLERR)
    while True:
        data, _ = attempt('read', os.pread, fd, 4096, 0)
        if data is not None:
            with seen:
                last = data.decode()
                seen.notify()
        poll.poll()

write(path, 'before\n')
threading.Thread(target=watch, daemon=True).start()
n = 0
while more():
    n += 1
    value = f'{round_number}-{n}\n'
    if write(path, value) is not None:
        continue
    with seen:
        if not seen.wait_for(lambda: last == value, timeout=60):
            say('wrong', f'a poll was not woken for {value.strip()} within a minute: it saw {last!r}')
            break
    say('ok', n)
os._exit(0)
`,
  },
  async check() {
    return [];
  },
};
