import type { Verb } from '../domain/lifecycle.ts';
import type { ErrorCode } from '../errors/index.ts';
import { ChainOperations } from './chain-operations.ts';
import { makeVnf, readVnfFile, removePlace, writeVnfFile } from './vnf-files.ts';
import { namesBelow, vnfPlace } from './vnf-path.ts';

/** What the tree says about where and from what a VNF is deployed. */
export interface InstanceConfiguration {
  readonly nfInstanceName: string;
  readonly nfType: string;
  /** Host to deploy on, from machine/ip; empty: this machine. */
  readonly ipAddress: string;
  /** From machine/vm.image; empty: what the type runs by default. */
  readonly imageName: string;
}

/**
 * The operations of VNFs and of service chains, on a mounted tree. Each is one or two file operations, so that the kernel checks who may do what, and any
 * number of programs can use one mount at once. A `nfPath` is the directory of an instance: absolute, or counted from the mountpoint
 * (`nf-types/firewall/fw-a`).
 *
 * An operation resolves when it is complete, and rejects with a NfioError that has the sentence of the VNF's error file. Each
 * one under way holds one thread of Node's pool (UV_THREADPOOL_SIZE, default 4).
 */
export class VnfsOperations extends ChainOperations {
  /** {@link vnfsGetOpcode} of a path that is below neither nf-types nor chns. */
  static readonly OP_UNDEFINED = 0xff;
  /** {@link vnfsGetOpcode} of nf-types and all below it. */
  static readonly OP_NF = 0x01;
  /** {@link vnfsGetOpcode} of chns and all below it. */
  static readonly OP_CHAIN = 101;

  /** What kind of path this is: OP_NF, OP_CHAIN or OP_UNDEFINED. */
  vnfsGetOpcode(path: string): number {
    const [top] = namesBelow(this.vnfsRoot, path);
    if (top === 'chns') return VnfsOperations.OP_CHAIN;
    return top === 'nf-types' ? VnfsOperations.OP_NF : VnfsOperations.OP_UNDEFINED;
  }

  /** The type in a path, `firewall` of nf-types/firewall/fw-a/action; empty when there is none. */
  vnfsGetNfType(path: string): string {
    const [top, type = ''] = namesBelow(this.vnfsRoot, path);
    return top === 'nf-types' ? type : '';
  }

  /** The last name of a path. */
  vnfsGetFileName(path: string): string {
    return namesBelow(this.vnfsRoot, path).at(-1) ?? '';
  }

  /** True for the directory of an instance, and for nothing in it. */
  vnfsIsNfInstance(path: string): boolean {
    const names = namesBelow(this.vnfsRoot, path);
    return names.length === 3 && names[0] === 'nf-types';
  }

  /**
   * Makes an instance, and its type if that is not loaded yet.
   *
   * @throws NfioError UnknownTypeError (ENOSYS), InvalidNameError (EINVAL), VNFCreateError (EEXIST, …).
   */
  async vnfsCreateVnfInstance(nfPath: string, mode = 0o755): Promise<void> {
    await makeVnf(vnfPlace(this.vnfsRoot, nfPath), mode);
  }

  /** Where and from what an instance is deployed. */
  async vnfsGetInstanceConfiguration(nfPath: string): Promise<InstanceConfiguration> {
    const { type, name } = vnfPlace(this.vnfsRoot, nfPath);
    const [ipAddress, imageName] = await Promise.all([this.#read(nfPath, 'machine/ip'), this.#read(nfPath, 'machine/vm.image')]);
    return { nfInstanceName: name, nfType: type, ipAddress, imageName };
  }

  /** Deploys and starts an instance; what fails is taken back. */
  async vnfsDeployNf(nfPath: string): Promise<void> {
    await this.#act(nfPath, 'activate', 'VNFDeployError');
  }

  /** Starts an instance that is deployed and does not run. */
  async vnfsStartVnf(nfPath: string): Promise<void> {
    await this.#act(nfPath, 'start', 'VNFStartError');
  }

  async vnfsStopVnf(nfPath: string): Promise<void> {
    await this.#act(nfPath, 'stop', 'VNFStopError');
  }

  async vnfsRestartVnf(nfPath: string): Promise<void> {
    await this.#act(nfPath, 'restart', 'VNFRestartError');
  }

  async vnfsPauseVnf(nfPath: string): Promise<void> {
    await this.#act(nfPath, 'pause', 'VNFPauseError');
  }

  async vnfsUnpauseVnf(nfPath: string): Promise<void> {
    await this.#act(nfPath, 'unpause', 'VNFUnpauseError');
  }

  /** Removes the guest of an instance. The instance stays, with its settings: remove it with {@link vnfsRemoveVnfInstance}. */
  async vnfsDestroyVnf(nfPath: string): Promise<void> {
    await this.#act(nfPath, 'destroy', 'VNFDestroyError');
  }

  /** Removes an instance that is not deployed, with all that is in it. @throws NfioError BusyError (EBUSY) for one that is. */
  async vnfsRemoveVnfInstance(nfPath: string): Promise<void> {
    await removePlace(vnfPlace(this.vnfsRoot, nfPath));
  }

  /**
   * Runs a shell command in a running instance and resolves to what it printed, stdout and stderr as they came. The output is the
   * instance's file `command`: of two at once, both get that of the one that ended last.
   *
   * @throws NfioError VNFCommandExecutionError (EIO) for an exit status other than 0, which the message names: the output is in
   *   the file `command` then; VNFNotRunningError (ENODEV).
   */
  async vnfsExecuteInVnf(nfPath: string, command: string): Promise<string> {
    const vnf = vnfPlace(this.vnfsRoot, nfPath);
    await writeVnfFile(vnf, 'command', command, { word: 'command', code: 'VNFCommandExecutionError' });
    return readVnfFile(vnf, 'command');
  }

  /** Bytes received on all ports since the guest started; undefined when it does not run. */
  async vnfsGetRxBytes(nfPath: string): Promise<number | undefined> {
    return this.#readCounter(nfPath, 'rx_bytes');
  }

  /** Bytes sent. */
  async vnfsGetTxBytes(nfPath: string): Promise<number | undefined> {
    return this.#readCounter(nfPath, 'tx_bytes');
  }

  /** Packets dropped, by the interfaces and by the VNF's own rules. */
  async vnfsGetPktDrops(nfPath: string): Promise<number | undefined> {
    return this.#readCounter(nfPath, 'pkt_drops');
  }

  /** State in the hypervisor's own word; `undeployed` without a guest. */
  async vnfsGetStatus(nfPath: string): Promise<string> {
    return this.#read(nfPath, 'status');
  }

  /** First address of the guest, without prefix length; empty when it has none. */
  async vnfsGetIp(nfPath: string): Promise<string> {
    return this.#read(nfPath, 'machine/vm.ip');
  }

  /** The hypervisor's own identifier of the guest; empty without one. */
  async vnfsGetId(nfPath: string): Promise<string> {
    return this.#read(nfPath, 'machine/vm.id');
  }

  async #act(nfPath: string, verb: Verb, code: ErrorCode): Promise<void> {
    await writeVnfFile(vnfPlace(this.vnfsRoot, nfPath), 'action', verb, { word: verb, code });
  }

  async #readCounter(nfPath: string, name: string): Promise<number | undefined> {
    const value = await this.#read(nfPath, `stats/${name}`);
    return value === '' ? undefined : Number(value);
  }

  async #read(nfPath: string, file: string): Promise<string> {
    return (await readVnfFile(vnfPlace(this.vnfsRoot, nfPath), file)).trimEnd();
  }
}
