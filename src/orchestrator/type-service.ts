import { checkName } from '../domain/names.ts';
import { noContents } from '../domain/ports/state.ts';
import type { Ownership, TypeRecord } from '../domain/records.ts';
import { NfioError } from '../errors/index.ts';
import type { Model } from './model.ts';

/** Loads middlebox modules and makes their directories. */
export class TypeService {
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
  }

  /** mkdir nf-types/NAME. @throws InvalidNameError, UnknownTypeError (ENOSYS), MalformedModuleError, BrokenModuleError. */
  async create(name: string, owner: Ownership): Promise<TypeRecord> {
    checkName('type', name);
    try {
      await this.#model.loadMiddlebox(name);
    } catch (error) {
      this.#model.tell({ path: `nf-types/${name}`, serial: undefined, what: 'mkdir' }, error as Error);
      this.#model.parts.logger.error(`module ${name}: ${(error as Error).message}`);
      throw error;
    }
    const existing = this.#model.inventory.type(name);
    if (existing !== undefined) throw new NfioError('BusyError', { message: `type ${name} is loaded already`, errno: 'EEXIST' });
    const record: TypeRecord = { kind: 'type', ...this.#model.newObject(owner), name };
    this.#model.inventory.put(record);
    try {
      await this.#model.parts.store.create(record, noContents);
    } catch (error) {
      this.#model.inventory.remove(record);
      throw error;
    }
    this.#model.publishType(record);
    return record;
  }

  /** rmdir nf-types/NAME. @throws BusyError (ENOTEMPTY) while it has instances. */
  async remove(name: string): Promise<void> {
    const record = this.#model.inventory.type(name);
    if (record === undefined) throw new NfioError('NotFoundError', { message: `type ${name} is not loaded. Run: mkdir nf-types/${name}` });
    for (const vnf of this.#model.inventory.vnfs()) {
      if (vnf.type === name) {
        throw new NfioError('BusyError', {
          message: `nf-types/${name} has instances, ${vnf.name} for one. Run: rmdir nf-types/${name}/*`,
          errno: 'ENOTEMPTY',
        });
      }
    }
    await this.#model.parts.store.remove(record);
    this.#model.inventory.remove(record);
    this.#model.withdraw(record.serial);
  }
}
