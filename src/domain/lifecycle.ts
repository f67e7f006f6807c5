import { NfioError } from '../errors/index.ts';
import type { GuestStatus } from './ports/hypervisor.ts';

/** The verbs every VNF's `action` knows. */
export const verbs = ['activate', 'deploy', 'start', 'stop', 'restart', 'pause', 'unpause', 'reload', 'destroy'] as const;

/** One of them. */
export type Verb = (typeof verbs)[number];

/** What a VNF is in, as far as its verbs are concerned. `undeployed`: no guest is wanted and none is there. `unreadable`: its record cannot be read. */
export type VnfState = 'undeployed' | 'unreadable' | 'inconsistent' | Exclude<GuestStatus['state'], 'absent'>;

/** One step towards what a verb wants; executors run them in order. */
export type Step = 'check' | 'deploy' | 'start' | 'configure' | 'open' | 'stop' | 'restart' | 'pause' | 'unpause' | 'destroy';

const allowed: Readonly<Record<VnfState, readonly Verb[]>> = {
  undeployed: ['activate', 'deploy'],
  created: ['start', 'destroy'],
  running: ['stop', 'restart', 'pause', 'reload', 'destroy'],
  paused: ['unpause', 'stop', 'destroy'],
  exited: ['start', 'restart', 'destroy'],
  unknown: ['stop', 'destroy'],
  inconsistent: ['destroy'],
  unreadable: [],
};

const steps: Readonly<Record<Verb, readonly Step[]>> = {
  activate: ['check', 'deploy', 'start', 'configure', 'open'],
  deploy: ['deploy'],
  start: ['check', 'start', 'configure', 'open'],
  stop: ['stop'],
  restart: ['check', 'restart', 'configure', 'open'],
  pause: ['pause'],
  // What was saved or changed meanwhile is in force before it has a say again.
  unpause: ['check', 'unpause', 'configure', 'open'],
  reload: ['check', 'configure', 'open'],
  destroy: ['destroy'],
};

/** The verbs that fit a state, in the order `cat action` shows them. */
export function verbsFor(state: VnfState): readonly Verb[] {
  return allowed[state];
}

/** The verb after which a VNF in a state runs; undefined for one that runs, and where no verb leads there at once. */
export function verbThatRuns(state: VnfState): Verb | undefined {
  const leading: readonly Verb[] = ['activate', 'start', 'unpause'];
  return allowed[state].find((verb) => leading.includes(verb));
}

/** True for the name of a verb. */
export function isVerb(text: string): text is Verb {
  return (verbs as readonly string[]).includes(text);
}

/**
 * The steps that lead from a state to what a verb wants.
 *
 * @throws InvalidActionError (EINVAL) when the verb does not fit, naming the state and the verbs that do.
 */
export function planVerb(state: VnfState, verb: Verb): readonly Step[] {
  if (!allowed[state].includes(verb)) {
    throw new NfioError('InvalidActionError', {
      message: `the VNF is ${state}; possible now: ${allowed[state].join(', ') || 'nothing. See why: cat error'}`,
    });
  }
  return steps[verb];
}

/** True for a step that ends the guest, for good or to start it again. */
export function endsGuest(step: Step): boolean {
  return step === 'stop' || step === 'restart' || step === 'destroy';
}

const takenBack: ReadonlySet<Step> = new Set(['check', 'deploy', 'start']);

/**
 * How many of a verb's first steps may be cut short, because what they did is taken back then. The steps after them are carried out whatever becomes of
 * who asked for them: a guest that was stopped to start again starts again.
 */
export function cancellableSteps(plan: readonly Step[]): number {
  // What was made anew is destroyed as a whole.
  if (plan.includes('deploy')) return plan.length;
  const first = plan.findIndex((step) => !takenBack.has(step));
  return first === -1 ? plan.length : first;
}

const goals: Readonly<Partial<Record<Verb, VnfState>>> = {
  activate: 'running',
  deploy: 'created',
  start: 'running',
  stop: 'exited',
  pause: 'paused',
  unpause: 'running',
  destroy: 'undeployed',
};

const starting: ReadonlySet<Verb> = new Set(['activate', 'start', 'restart']);

/**
 * What is left of a verb that a server of this mount may have begun, or even ended, before it died: the same request comes again to its successor. Verbs
 * without a goal (restart, reload) are simply taken again.
 *
 * @throws InvalidActionError as planVerb does.
 */
export function planAgain(state: VnfState, verb: Verb): readonly Step[] {
  if (goals[verb] === state) return steps[verb].includes('configure') ? steps.reload : [];
  // On record as deployed, and not made yet.
  if (verb === 'deploy' && state === 'exited') return [...steps.destroy, ...steps.deploy];
  // A start that was cut short leaves a guest that can be started.
  const halfway = starting.has(verb) && !allowed[state].includes(verb) && allowed[state].includes('start');
  return planVerb(state, halfway ? 'start' : verb);
}

/**
 * True for what reading an `action` file gives: a list of two verbs or more. `cp -r` of an instance writes it back,
 * and means nothing by it.
 *
 * @param more actions that the type adds to the verbs.
 */
export function isVerbList(text: string, more: readonly string[] = []): boolean {
  const words = text.split(/\s+/).filter((word) => word !== '');
  return words.length > 1 && words.every((word) => isVerb(word) || more.includes(word));
}
