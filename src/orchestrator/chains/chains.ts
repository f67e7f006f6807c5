import type { DefaultRoutes } from '../default-routes.ts';
import type { LivePorts } from '../live-ports.ts';
import type { Model } from '../model.ts';
import { ChainActions } from './chain-actions.ts';
import { ChainEditor } from './chain-editor.ts';
import { ChainFollower } from './chain-follower.ts';
import { ChainHealth } from './chain-health.ts';
import { ChainObserver } from './chain-observer.ts';
import { ChainProbes } from './chain-probes.ts';
import { ChainResolver } from './chain-resolver.ts';
import { ChainRuntimes } from './chain-runtimes.ts';
import { ChainService } from './chain-service.ts';
import { ChainStats } from './chain-stats.ts';
import { Steersman } from './steersman.ts';

/** The use cases of service chains. */
export class Chains {
  readonly service: ChainService;
  readonly actions: ChainActions;
  readonly steersman: Steersman;
  readonly observer: ChainObserver;
  readonly follower: ChainFollower;
  readonly stats: ChainStats;
  readonly probes: ChainProbes;

  constructor(model: Model, { live, routes }: { readonly live: LivePorts; readonly routes: DefaultRoutes }) {
    const runtimes = new ChainRuntimes();
    const resolver = new ChainResolver(model);
    const health = new ChainHealth(model, runtimes);
    this.steersman = new Steersman(model, { live, routes, runtimes, health });
    const editor = new ChainEditor(model, { resolver, steersman: this.steersman, runtimes });
    this.service = new ChainService(model, editor, runtimes);
    this.actions = new ChainActions(model, { editor, resolver, steersman: this.steersman, runtimes, health });
    this.probes = new ChainProbes(model, { editor, steersman: this.steersman, runtimes });
    this.stats = new ChainStats(model);
    this.observer = new ChainObserver(model, runtimes, health);
    this.follower = new ChainFollower(model, { steersman: this.steersman, editor, observer: this.observer });
    model.observeChain = (chain) => this.observer.observe(chain);
  }
}
