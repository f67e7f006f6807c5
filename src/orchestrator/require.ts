import { type Actor, may, type Objects, type Verb } from '../domain/authority.ts';
import type { VnfRecord } from '../domain/records.ts';
import { NfioError } from '../errors/index.ts';
import type { Model } from './model.ts';

const sentences: { readonly [V in Verb]: (object: Objects[V]) => string } = {
  clone: ({ type, name }) => `${type}/${name} is another user's, who alone may clone it. Run as its owner or as root`,
  discard: ({ type, name }) => `${type}/${name} is another user's, who alone may remove it. Run as its owner or as root`,
  attach: ({ name }) =>
    `you may not put ports on network ${name}. Its owner lets a group do so. Run: chgrp GROUP networks/${name}/ports; chmod 2775 networks/${name}/ports`,
  uplink: ({ name }) =>
    `only root may connect a network to an interface of the machine. Run as root: echo INTERFACE > networks/${name}/uplink`,
  direct: ({ name }) =>
    `only root may say where hosts/${name} is, for it is reached with root's keys. Run as root: echo ADDRESS > hosts/${name}/address`,
};

/** @throws NotPermittedError (EPERM), which says who may, when this actor may not. */
export function requireMay<V extends Verb>(actor: Actor, verb: V, object: Objects[V]): void {
  if (!may(actor, verb, object)) throw new NfioError('NotPermittedError', { message: sentences[verb](object) });
}

/**
 * Who starts a VNF must be allowed to put its ports on their networks: a network may have been made, or closed, after its name was written.
 *
 * @throws NotPermittedError (EPERM)
 */
export function requireNetworks(model: Model, actor: Actor, vnf: VnfRecord): void {
  for (const { settings } of vnf.ports) {
    const network = model.inventory.network(settings['network'] ?? '');
    if (network !== undefined) requireMay(actor, 'attach', network);
  }
}
