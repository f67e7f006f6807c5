import type { Middlebox } from '../domain/middlebox.ts';

/** The modules that come with nf.io, by type; each is imported when it is first asked for. */
export const builtInModules: Readonly<Record<string, () => Promise<{ readonly default: Middlebox }>>> = {
  dns: () => import('./dns.ts'),
  firewall: () => import('./firewall.ts'),
  host: () => import('./host.ts'),
  ids: () => import('./ids.ts'),
  loadbalancer: () => import('./loadbalancer.ts'),
  nat: () => import('./nat.ts'),
  nginx: () => import('./nginx.ts'),
  proxy: () => import('./proxy.ts'),
  router: () => import('./router.ts'),
  shaper: () => import('./shaper.ts'),
};
