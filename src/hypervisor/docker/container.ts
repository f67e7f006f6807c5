import type { GuestSpec } from '../../domain/ports/hypervisor.ts';
import { NfioError } from '../../errors/index.ts';
import { configArchive, configVersion } from './config-archive.ts';
import { configTarget, containerSpec } from './container-spec.ts';
import { type Engine, EngineAnswerError } from './engine/index.ts';
import { hasOwnUsers } from './engine-info.ts';
import type { Guest } from './guest.ts';
import { containerName, guestLabels, label, mountFilter } from './labels.ts';
import { hasImage, pullImage } from './pull.ts';
import { undoneIfAborted } from './undone-if-aborted.ts';

const createTimeoutMs = 60_000;

/** What making a container needs besides its spec. */
export interface MakeOptions {
  readonly mountId: string;
  readonly signal: AbortSignal;
  /** Told of the per cent fetched of an image that the engine does not have. */
  readonly onProgress: (percent: number) => void;
}

/**
 * Makes the container of a guest, with its image fetched if need be. Resolves to its id.
 *
 * @throws VNFDeployError (EEXIST) when a stranger's container has its name, NotFoundError (ENOENT) for an image that cannot be had, EngineAnswerError.
 */
export async function makeContainer(guest: Guest, spec: GuestSpec, options: MakeOptions): Promise<string> {
  const { engine, local } = guest.link;
  const { signal, mountId } = options;
  // Ports lead to others' networks on this machine alone.
  const ofNetwork = spec.owner === 0 || !local || (await hasOwnUsers(engine, signal));
  const body = containerSpec(spec, { mountId, local, ofNetwork });
  const name = containerName(mountId, spec);
  const create = async (): Promise<string> => {
    const request = { method: 'POST', path: '/containers/create', query: { name }, body, timeoutMs: createTimeoutMs } as const;
    const made = engine.json<{ readonly Id: string }>(request, new AbortController().signal);
    const { Id } = await undoneIfAborted(made, signal, (late) => removeContainer(engine, late.Id, AbortSignal.timeout(createTimeoutMs)));
    if (/^[0-9a-f]{64}$/.test(Id)) return Id;
    throw new NfioError('HypervisorConnectionError', {
      errno: 'EPROTO',
      message: `the Docker Engine at ${engine.name} gave no container id`,
    });
  };
  try {
    return await create();
  } catch (error) {
    const status = error instanceof EngineAnswerError ? error.status : 0;
    if (status === 404 && !(await hasImage(engine, spec.image, signal))) await pullImage(engine, spec, options);
    else if (status === 409) await removeNamesake(engine, name, spec, options);
    else throw error;
  }
  return create();
}

/** Removes what is left of a deployment that was cut short; whatever else has the name is not ours to touch. */
async function removeNamesake(engine: Engine, name: string, spec: GuestSpec, { mountId, signal }: MakeOptions): Promise<void> {
  const found = await engine.json<{ readonly Id: string; readonly Config: { readonly Labels: Readonly<Record<string, string>> | null } }>(
    { method: 'GET', path: `/containers/${name}/json` },
    signal,
  );
  const own = guestLabels(mountId, spec);
  if (Object.entries(own).some(([key, value]) => found.Config.Labels?.[key] !== value)) {
    throw new NfioError('VNFDeployError', {
      errno: 'EEXIST',
      message: `the engine at ${engine.name} has a container named ${name} that nf.io did not make for this VNF. Run there: docker rename ${name} OTHER`,
    });
  }
  await removeContainer(engine, found.Id, signal);
}

/** Removes a container, running or not, with its anonymous volumes. One that is not there is as good as removed. */
export async function removeContainer(engine: Engine, containerId: string, signal: AbortSignal): Promise<void> {
  try {
    await engine.json({ method: 'DELETE', path: `/containers/${containerId}`, query: { force: true, v: true }, timeoutMs: 60_000 }, signal);
  } catch (error) {
    // 409: it is being removed already.
    if (!(error instanceof EngineAnswerError) || ![404, 409].includes(error.status)) throw error;
  }
}

/** Removes every container of a guest: also of one that the engine made after nobody waited for it any more. */
export async function removeLeftovers(
  engine: Engine,
  guest: { readonly id: string; readonly mountId: string },
  signal: AbortSignal,
): Promise<void> {
  const filters = mountFilter(guest.mountId, { label: [`${label.mount}=${guest.mountId}`, `${label.id}=${guest.id}`] });
  const found = await engine.json<{ readonly Id: string }[]>(
    { method: 'GET', path: '/containers/json', query: { all: true, filters } },
    signal,
  );
  for (const { Id } of found) await removeContainer(engine, Id, signal);
}

/** Brings a guest's copy of its config directory up to date where it does not see this machine's files. */
export async function copyConfig(guest: Guest, signal: AbortSignal): Promise<void> {
  const { link, configDir, containerId } = guest;
  if (link.local) return;
  const version = await configVersion(configDir);
  if (version === guest.configVersion) return;
  const upload = await configArchive(configDir, configTarget);
  await link.engine.json(
    { method: 'PUT', path: `/containers/${containerId}/archive`, query: { path: '/' }, upload, timeoutMs: 120_000 },
    signal,
  );
  guest.configVersion = version;
}
