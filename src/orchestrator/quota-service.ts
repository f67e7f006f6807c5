import type { Actor } from '../domain/authority.ts';
import { checkName } from '../domain/names.ts';
import { noContents } from '../domain/ports/state.ts';
import { isDefaultQuota, type Use, userOf } from '../domain/quotas.ts';
import type { Ownership, QuotaRecord } from '../domain/records.ts';
import { parseSetting, quotaSettings } from '../domain/settings.ts';
import { NfioError } from '../errors/index.ts';
import type { HiddenFiles } from './hidden-files.ts';
import { Lane } from './lane.ts';
import type { Model } from './model.ts';
import { requireMay } from './require.ts';

/** Makes, changes and removes entries of quotas/. */
export class QuotaService {
  readonly #model: Model;
  readonly #hidden: HiddenFiles;
  /** One user has one entry, so they change one at a time. */
  readonly #lane = new Lane();

  constructor(model: Model, hidden: HiddenFiles) {
    this.#model = model;
    this.#hidden = hidden;
  }

  /** mkdir quotas/USER, by name or by number. @throws NotFoundError for a user that this machine does not know. */
  create(name: string, owner: Ownership): Promise<QuotaRecord> {
    checkName('user', name);
    return this.#lane.run(async () => {
      const uid = await this.#numberOf(name);
      this.#checkFree(name, uid);
      const record: QuotaRecord = { kind: 'quota', ...this.#model.newObject(owner), name, settings: { uid: String(uid) } };
      await this.#model.add(record);
      return record;
    });
  }

  /** rmdir quotas/USER: what holds for all holds for this user again. @throws NotPermittedError for the entry for all. */
  remove(name: string): Promise<void> {
    return this.#lane.run(async () => {
      const record = this.#named(name);
      this.#hidden.showAll(record.serial);
      await this.#model.recordObject(record, 'rmdir', async () => {
        checkRemovable(record);
        await this.#model.parts.store.remove(record);
        this.#model.inventory.remove(record);
      });
      this.#model.withdraw(record.serial);
    });
  }

  /** unlink of a file of an entry: on the way to removing the whole, or to making it again, as tar does. */
  hide(name: string, path: string): void {
    this.#hidden.hide(this.#named(name).serial, path);
  }

  /** Sets a limit; an empty text takes it back. What is over a new limit stays. @throws NotPermittedError for others than root. */
  set(name: string, path: string, { text, actor }: { readonly text: string; readonly actor: Actor }): Promise<void> {
    return this.#lane.run(async () => {
      const before = this.#named(name);
      await this.#model.recordObject(before, path, async () => {
        requireMay(actor, 'limit', before);
        const after = { ...before, settings: { ...before.settings, [path]: parseSetting(quotaSettings, path, text) } };
        await this.#store(before, after);
        this.#model.inventory.put(after);
      });
      // What is not said there is what holds for all.
      if (isDefaultQuota(before)) for (const quota of this.#model.inventory.quotas()) this.#model.publishQuota(quota);
      else this.#model.publishQuota(this.#named(name));
    });
  }

  /** The entry for all is there before it is on record: from when something is said there. */
  async #store(before: QuotaRecord, after: QuotaRecord): Promise<void> {
    const { store } = this.#model.parts;
    const isNew = isDefaultQuota(before) && before.unreadable === undefined && Object.keys(before.settings).length === 0;
    await (isNew ? store.create(after, noContents) : store.update(after));
  }

  /** What the user of an entry has; undefined for the entry for all. */
  use(name: string): Use | undefined {
    const uid = userOf(this.#named(name));
    return uid === undefined ? undefined : this.#model.inventory.used.of(uid);
  }

  async #numberOf(name: string): Promise<number> {
    const uid = /^\d+$/.test(name) ? Number(name) : await this.#model.parts.userNumber(name);
    if (uid === undefined || uid >= noUser) {
      throw new NfioError('NotFoundError', { message: `there is no user ${name} on this machine. Run: useradd ${name}` });
    }
    if (uid === 0) throw new NfioError('InvalidNameError', { message: `${name} is root, who has no limits` });
    return uid;
  }

  #checkFree(name: string, uid: number): void {
    const known = this.#model.inventory.quota(name) ?? this.#model.inventory.quotaOf(uid);
    if (known === undefined) return;
    const message = `user ${name} has the limits in quotas/${known.name} already. Change them: echo NUMBER > quotas/${known.name}/vnfs`;
    throw new NfioError('BusyError', { message, errno: 'EEXIST' });
  }

  #named(name: string): QuotaRecord {
    const record = this.#model.inventory.quota(name);
    if (record === undefined) throw new NfioError('NotFoundError', { message: `there is no quotas/${name}. Run: mkdir quotas/${name}` });
    return record;
  }
}

/** No user has this number (chown(2)) or a greater one. */
const noUser = 0xffff_ffff;

function checkRemovable(record: QuotaRecord): void {
  if (!isDefaultQuota(record)) return;
  throw new NfioError('NotPermittedError', {
    message: `quotas/${record.name} is for all who have no entry of their own, and always there. To take a limit back run: echo > quotas/${record.name}/vnfs`,
  });
}
