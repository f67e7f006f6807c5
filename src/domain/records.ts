import type { Placement } from './ports/hypervisor.ts';

/** Owner and permissions of one file. */
export interface Ownership {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits (07777). */
  readonly mode: number;
}

/** What every persistent object has. uid, gid and mode are those it was made with. */
export interface ObjectRecord extends Ownership {
  /** Unique in a root, never used twice; nodeids and the names of namespaces and interfaces derive from it. */
  readonly serial: number;
  /** Milliseconds since 1970; tells two objects with one serial apart should a root be restored from a backup. */
  readonly createdMs: number;
  /** Files of the object whose ownership someone changed, by path below the object (`machine/ip`; empty: its directory). */
  readonly ownership: Readonly<Record<string, Ownership>>;
  /** Values users set, by path below the object; a value never set is absent. */
  readonly settings: Readonly<Record<string, string>>;
}

/** A type directory: nf-types/TYPE. */
export interface TypeRecord extends ObjectRecord {
  readonly kind: 'type';
  readonly name: string;
}

/** A port: nf-types/TYPE/VNF/ports/PORT. It lives in the record of its VNF, so that both change in one write. */
export interface PortRecord extends ObjectRecord {
  readonly name: string;
}

/** A VNF: nf-types/TYPE/NAME. */
export interface VnfRecord extends ObjectRecord {
  readonly kind: 'vnf';
  readonly type: string;
  readonly name: string;
  readonly ports: readonly PortRecord[];
  /** True from before its guest is made until after it is destroyed. */
  readonly deployed: boolean;
  /** Where its guest is; undefined when it is not deployed. */
  readonly placement: Placement | undefined;
  /** A deployment failed, and so did cleaning up after it. */
  readonly inconsistent: boolean;
}

/** A network: networks/NAME. */
export interface NetworkRecord extends ObjectRecord {
  readonly kind: 'network';
  readonly name: string;
}

/** A machine that VNFs can run on: hosts/NAME. */
export interface HostRecord extends ObjectRecord {
  readonly kind: 'host';
  readonly name: string;
}

/** Anything the state store keeps. */
export type StoredRecord = TypeRecord | VnfRecord | NetworkRecord | HostRecord;

/** Where a record is kept: its path in the tree. */
export function recordKey(record: StoredRecord): string {
  switch (record.kind) {
    case 'type':
      return `nf-types/${record.name}`;
    case 'vnf':
      return `nf-types/${record.type}/${record.name}`;
    case 'network':
      return `networks/${record.name}`;
    case 'host':
      return `hosts/${record.name}`;
  }
}

/** The short name that interfaces, namespaces and cgroups derive from: six to eleven characters of `[a-z0-9]`. */
export function idOf(serial: number): string {
  return serial.toString(36).padStart(6, '0');
}
