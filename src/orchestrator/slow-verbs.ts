import type { VnfRecord } from '../domain/records.ts';
import { type Model, pathOf } from './model.ts';

/** After so long a verb that goes on is told of; then again after twice as long, and so on. Milliseconds. */
const firstMs = 10_000;

/** Resolves as the task does. While a verb on a VNF takes long, events say that it goes on, and what its hypervisor knows of why. */
export async function tellWhileSlow<T>(
  model: Model,
  what: { readonly vnf: VnfRecord; readonly verb: string },
  task: Promise<T>,
): Promise<T> {
  const { vnf, verb } = what;
  const started = performance.now();
  const tell = (): void => {
    const seconds = Math.round((performance.now() - started) / 1000);
    const known = model.driverOf(vnf).whySlow?.(model.ref(vnf));
    const why = [`it has taken ${seconds} s so far`, ...(known === undefined ? [] : [known])].join('; ');
    model.note({ path: pathOf(vnf), what: `${verb} goes on`, why });
  };
  let timer: NodeJS.Timeout | undefined;
  const wait = (pauseMs: number): void => {
    timer = setTimeout(() => {
      tell();
      wait(pauseMs * 2);
    }, pauseMs);
    timer.unref();
  };
  wait(firstMs);
  try {
    return await task;
  } finally {
    clearTimeout(timer);
  }
}
