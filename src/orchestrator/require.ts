import { portPath } from '../domain/addressing.ts';
import { type Actor, may, type Objects, ownerOf, type Verb } from '../domain/authority.ts';
import { recordKey, type VnfRecord } from '../domain/records.ts';
import { NfioError } from '../errors/index.ts';
import type { Model } from './model.ts';

const sentences: { readonly [V in Verb]: (object: Objects[V]) => string } = {
  clone: ({ type, name }) => `${type}/${name} is another user's, who alone may clone it. Run as its owner or as root`,
  discard: ({ type, name }) => `${type}/${name} is another user's, who alone may remove it. Run as its owner or as root`,
  attach: ({ name }) =>
    `you may not put ports on network ${name}. Its owner lets a group do so. Run: chgrp GROUP networks/${name}/ports; chmod 2775 networks/${name}/ports`,
  uplink: ({ name }) =>
    `only root may connect a network to an interface of the machine. Run as root: echo INTERFACE > networks/${name}/uplink`,
  spoof: (placed) =>
    `only root may let a port send in the name of others. Run as root: echo on > nf-types/${placed.vnf.type}/${portPath(placed)}/spoof`,
  direct: ({ name }) =>
    `only root may say where hosts/${name} is, for it is reached with root's keys. Run as root: echo ADDRESS > hosts/${name}/address`,
  limit: ({ name }) => `only root may say how much users may have. Run as root: echo NUMBER > quotas/${name}/vnfs`,
  place: ({ name }) =>
    `only root may name a machine that is not in hosts/. Run as root: mkdir hosts/NAME && echo ${name} > hosts/NAME/address; then write NAME to machine/ip`,
  lend: ({ host, path, said }) =>
    `only root may have a guest start from ${path} on ${host}, for files of other machines cannot be looked at. Run as root, in the VNF: chown root ${said}`,
  boot: () =>
    'boot.conf: only root may give privileged, capabilities, mounts and network. Run as root, in the VNF: chown root config config/boot.conf && chmod go-w config config/boot.conf',
  steer: ({ chain, record }) =>
    `chns/${chain.name} belongs to user ${ownerOf(chain).uid}, and ${recordKey(record)} to user ${ownerOf(record).uid}; who steers traffic must own both. Run as root: chown -R ${ownerOf(chain).uid} ${recordKey(record)}`,
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
