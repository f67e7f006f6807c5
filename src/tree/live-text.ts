import { availableParallelism, freemem, loadavg, totalmem } from 'node:os';
import type { RegularSpec } from './file-spec.ts';
import type { ObjectView } from './views.ts';

/** Text that is worked out at each read; empty for files that have none. Flat-keyed as cgroup files are. */
export function liveText(view: ObjectView, spec: RegularSpec): string {
  if (view.kind !== 'host') return '';
  switch (spec.path) {
    case 'capacity':
      return `vcpu ${availableParallelism()}\nmemory_bytes ${totalmem()}`;
    case 'load': {
      const [one = 0, five = 0, fifteen = 0] = loadavg();
      return `load1 ${one.toFixed(2)}\nload5 ${five.toFixed(2)}\nload15 ${fifteen.toFixed(2)}\nmemory_free_bytes ${freemem()}`;
    }
    default:
      return '';
  }
}
