import { didYouMean } from '../domain/did-you-mean.ts';
import type { Middlebox } from '../domain/middlebox.ts';
import type { Logger } from '../domain/ports/logger.ts';
import type { MiddleboxSource } from '../domain/ports/middlebox-source.ts';
import { NfioError } from '../errors/index.ts';
import { builtInModules } from './built-in.ts';
import { guardMiddlebox, programTimeoutMs } from './guard.ts';
import { IsolatedModule } from './isolated/isolated-module.ts';
import { proxyMiddlebox } from './isolated/module-proxy.ts';
import type { ModuleLimits } from './isolated/running-thread.ts';
import { findModuleFile, listModuleFiles, type ModuleSource } from './module-files.ts';

/** A middlebox whose hooks, actions and languages cannot throw anything but a NfioError, nor take forever. */
export type LoadedMiddlebox = Middlebox;

/** One line of `nfio types`. */
export interface ModuleListing {
  readonly type: string;
  /** Empty when the module cannot be loaded. */
  readonly summary: string;
  /** `built-in`, or the path of the file. */
  readonly origin: string;
  /** Why it cannot be loaded. */
  readonly error?: string;
}

/** What a user's own module may take. */
const defaultLimits: ModuleLimits = { importTimeoutMs: 5000, patienceMs: 5000, callTimeoutMs: 2 * programTimeoutMs, memoryMiB: 256 };

/** A user's own module, loaded from one version of its file. */
interface LoadedFile {
  readonly version: string;
  readonly module: IsolatedModule;
  readonly middlebox: LoadedMiddlebox;
}

/** Where modules come from. */
export interface ModuleLoaderOptions {
  /** Directory of the user's own modules; undefined: only what is built in. */
  readonly userRoot: string | undefined;
  readonly logger: Logger;
  /** What a user's own module may take; default: `defaultLimits`. */
  readonly limits?: Partial<ModuleLimits>;
}

/**
 * Finds middlebox modules by type. A user's own file wins over a built-in module of the same name, so that a site can replace
 * one without waiting for a release; daemon.log says so. It runs in a thread of its own. A file that changed is imported again, without a
 * restart; who holds what was loaded before can still call it, and it does as the file says then.
 */
export class ModuleLoader implements MiddleboxSource {
  readonly #options: ModuleLoaderOptions;
  readonly #loaded = new Map<string, LoadedFile>();
  readonly #builtIn = new Map<string, LoadedMiddlebox>();

  constructor(options: ModuleLoaderOptions) {
    this.#options = options;
  }

  /**
   * The module of a type, whose name has been checked already.
   *
   * @throws UnknownTypeError (ENOSYS) when there is none, MalformedModuleError (ENOEXEC) when it does not parse or has not the
   * shape of a module, BrokenModuleError (EIO) when it throws or does not end while it is imported.
   */
  async load(type: string): Promise<LoadedMiddlebox> {
    const { userRoot, logger } = this.#options;
    const source = userRoot === undefined ? undefined : await findModuleFile(userRoot, type);
    if (source === undefined) return this.#loadBuiltIn(type);
    const known = this.#loaded.get(type);
    if (known?.version === source.version) return known.middlebox;
    const loaded = await this.#loadFile(source);
    if (Object.hasOwn(builtInModules, type)) logger.warn(`module ${type}: ${source.path} is used instead of the built-in module`);
    else logger.info(`module ${type}: loaded from ${source.path}`);
    this.#loaded.get(type)?.module.retire();
    this.#loaded.set(type, loaded);
    return loaded.middlebox;
  }

  /** Every module there is, by type; those that cannot be loaded say why. Never rejects for a bad module. */
  async list(): Promise<ModuleListing[]> {
    const { userRoot } = this.#options;
    const own = userRoot === undefined ? [] : await listModuleFiles(userRoot);
    const origins = new Map<string, string>(Object.keys(builtInModules).map((type) => [type, 'built-in']));
    for (const { type, path } of own) origins.set(type, path);
    const types = [...origins.keys()].sort();
    return Promise.all(types.map((type) => this.#describe(type, origins.get(type) ?? 'built-in')));
  }

  async #describe(type: string, origin: string): Promise<ModuleListing> {
    try {
      return { type, summary: (await this.load(type)).summary, origin };
    } catch (error) {
      return { type, summary: '', origin, error: (error as Error).message };
    }
  }

  async #loadBuiltIn(type: string): Promise<LoadedMiddlebox> {
    const known = this.#builtIn.get(type);
    if (known !== undefined) return known;
    const load = Object.hasOwn(builtInModules, type) ? builtInModules[type] : undefined;
    if (load === undefined) {
      const where = this.#options.userRoot === undefined ? 'no module root is set' : `nor is there ${this.#options.userRoot}/${type}.ts`;
      const hint = didYouMean(type, Object.keys(builtInModules));
      throw new NfioError('UnknownTypeError', {
        message: `there is no built-in module "${type}"${hint}, ${where}. See those there are: nfio types`,
      });
    }
    const middlebox = guardMiddlebox(type, (await load()).default);
    this.#builtIn.set(type, middlebox);
    return middlebox;
  }

  async #loadFile(source: ModuleSource): Promise<LoadedFile> {
    const { limits, logger } = this.#options;
    const onBroken = (error: Error): void => logger.error(`${error.message}; it begins anew at its next call`);
    const module = new IsolatedModule(source, { ...defaultLimits, ...limits }, onBroken);
    const proxy = proxyMiddlebox(await module.describe(), (call) => module.call(call));
    return { version: source.version, module, middlebox: guardMiddlebox(source.type, proxy) };
  }
}
