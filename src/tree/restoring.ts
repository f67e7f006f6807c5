import type { RegularSpec } from './file-spec.ts';
import type { ObjectView } from './views.ts';

/** What becomes of what is written to a special file: it is carried out, refused (EACCES), or taken and ignored. */
export type WriteFate = 'done' | 'refused' | 'ignored';

/**
 * Copies bring live files along, which mean nothing by what they hold. An instance that is not deployed and a service chain that is not active take and ignore
 * them, from everybody; networks, hosts and quotas, which always are what they are, from programs that copy.
 *
 * @param restoring whether it is a copy that writes: then files that act do nothing either, and how many instances a hop has follows from its links.
 */
export function fateOfWrite(view: ObjectView, spec: RegularSpec, restoring: boolean): WriteFate {
  // What is copied to the action of a VNF may be a verb that somebody means: the main thread looks.
  if (spec.write === 'action' && view.kind === 'vnf') return 'done';
  if (restoring && view.kind === 'hop' && spec.path === 'replicas') return 'ignored';
  if (spec.write === 'setting' || spec.write === 'module') return 'done';
  if (spec.write !== undefined && !restoring) return 'done';
  return isLive(view, restoring) ? 'refused' : 'ignored';
}

function isLive(view: ObjectView, restoring: boolean): boolean {
  switch (view.kind) {
    case 'vnf':
    case 'port':
      return view.deployed;
    case 'chain':
    case 'hop':
      return view.active;
    case 'network':
    case 'host':
    case 'quota':
      return !restoring;
    default:
      return true;
  }
}
