import { lstat, readdir, readlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isAbsence } from '../errors/index.ts';
import { accessFailure } from './vnf-failure.ts';
import { makeChain, readVnfFile, removePlace, writeVnfFile } from './vnf-files.ts';
import { chainPlace, mountPath, namesBelow, type Place } from './vnf-path.ts';

/**
 * The operations of service chains, on a mounted tree. A `chainPath` is the directory of a chain: absolute, or counted from the mountpoint
 * (`chns/web`). Its hops are links, made with `symlink`; its networks are its files `ingress` and `egress`.
 */
export class ChainOperations {
  /** Absolute path of the mountpoint. */
  readonly vnfsRoot: string;

  /** @throws NfioError InvalidValueError when the mountpoint is no path. */
  constructor(vnfsRoot: string) {
    this.vnfsRoot = mountPath(vnfsRoot);
  }

  /** The service chain in a path, `web` of chns/web/fw/next; empty when there is none. */
  vnfsGetChainName(path: string): string {
    const [top, name = ''] = namesBelow(this.vnfsRoot, path);
    return top === 'chns' ? name : '';
  }

  /** Makes a service chain without hops. @throws NfioError InvalidNameError (EINVAL), NetworkError (EEXIST, …). */
  async vnfsCreateChain(chainPath: string, mode = 0o755): Promise<void> {
    await makeChain(this.#place(chainPath), mode);
  }

  /** Absolute paths of the hops of a service chain, by name. */
  async vnfsGetChainElements(chainPath: string): Promise<string[]> {
    const chain = this.#place(chainPath);
    const entries = await readdir(chain.path, { withFileTypes: true }).catch((cause: unknown) => {
      throw accessFailure(chain, cause);
    });
    const directories = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(chain.path, name));
    const hops = await Promise.all(directories.map(async (path) => ((await isHop(path)) ? [path] : [])));
    return hops.flat().sort();
  }

  /**
   * Deploys and starts the VNFs of a service chain that are not deployed, one after another, and activates it.
   *
   * @returns absolute paths of all its VNFs, with what was done to each.
   */
  async vnfsDeployNfChain(chainPath: string): Promise<{ readonly nfPath: string; readonly deployed: boolean }[]> {
    const chain = this.#place(chainPath);
    const done = [];
    for (const nfPath of await this.#instances(chainPath)) {
      const vnf: Place = { kind: 'VNF', path: nfPath, label: namesBelow(this.vnfsRoot, nfPath).slice(1).join('/') };
      const deployed = (await readVnfFile(vnf, 'status')).trimEnd() === 'undeployed';
      if (deployed) await writeVnfFile(vnf, 'action', 'activate', { word: 'activate', code: 'VNFDeployError' });
      done.push({ nfPath, deployed });
    }
    await writeVnfFile(chain, 'action', 'activate', { word: 'activate', code: 'NetworkError' });
    return done;
  }

  /** Stops steering traffic through a service chain. Its VNFs go on. */
  async vnfsStopNfChain(chainPath: string): Promise<void> {
    await writeVnfFile(this.#place(chainPath), 'action', 'stop', { word: 'stop', code: 'NetworkError' });
  }

  /** `inactive`, `active` or `degraded`. */
  async vnfsGetChainStatus(chainPath: string): Promise<string> {
    return (await readVnfFile(this.#place(chainPath), 'status')).trimEnd();
  }

  /** Removes a service chain that is not active, with its hops; their VNFs stay. @throws NfioError BusyError (EBUSY) for an active one. */
  async vnfsRemoveChain(chainPath: string): Promise<void> {
    await removePlace(this.#place(chainPath));
  }

  async #instances(chainPath: string): Promise<readonly string[]> {
    const found = new Set<string>();
    for (const hop of await this.vnfsGetChainElements(chainPath)) {
      const links = (await readdir(hop, { withFileTypes: true })).filter((entry) => entry.isSymbolicLink() && entry.name !== 'next');
      for (const { name } of links) found.add(resolve(hop, await readlink(join(hop, name))));
    }
    return [...found];
  }

  #place(chainPath: string): Place {
    return chainPlace(this.vnfsRoot, chainPath);
  }
}

/** A hop has a mode; the other directories of a service chain have none. */
async function isHop(path: string): Promise<boolean> {
  return await lstat(join(path, 'mode')).then(
    () => true,
    (cause: unknown) => {
      if (isAbsence(cause)) return false;
      throw cause;
    },
  );
}
