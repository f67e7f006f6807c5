import { defineCommand, type Terminal } from '../command.ts';
import type { ImageEngine } from '../images/image-engine.ts';
import { didYouMean } from '../suggest.ts';
import { columns } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

const connectTimeoutMs = 10_000;

/** `nfio images`. */
export const imagesCommand = defineCommand({
  name: 'images',
  summary: 'Build and list the images of built-in types, for docker and libvirt',
  operands: [],
  rest: 'list|build TYPE',
  operandChoices: ['list', 'build'],
  completes: 'types',
  options: {
    base: {
      type: 'string',
      value: 'IMAGE',
      summary: 'What to build from (default debian:bookworm-slim); debootstrap: make it on this machine',
    },
    host: {
      type: 'string',
      value: 'ADDRESS',
      summary: "A Docker Engine: unix:///PATH, tcp://HOST, ssh://USER@HOST (default this machine's)",
    },
    'insecure-engines': { type: 'boolean', summary: 'Allow a Docker Engine at HOST:PORT, without TLS or ssh' },
    libvirt: { type: 'boolean', summary: 'The one image for virtual machines instead, a directory of this machine' },
    json: { type: 'boolean', summary: 'Print JSON (list)' },
  },
  description: `Lists the images of the built-in types that a Docker Engine has, or builds those of the types named, all without
a name. Each is nfio/TYPE:latest, the default of machine/vm.image. The base is the engine's own, or comes from its registry; where that cannot
be reached debootstrap makes it, if it is installed. Building again is instant.

Virtual machines of the types firewall, nat, router, shaper and host share one image. It is made of Debian packages, which are downloaded for it
and not installed.`,
  examples: [
    { command: 'nfio images', does: 'What is there' },
    { command: 'nfio images build', does: 'All of them' },
    { command: 'nfio images build firewall proxy', does: 'Two of them' },
    { command: 'nfio images build --base debootstrap', does: 'Without a registry' },
    { command: 'nfio images build --libvirt', does: 'The image for virtual machines' },
    { command: 'nfio images build --host ssh://root@worker', does: 'For VNFs on another machine' },
  ],
  async run({ values, operands, terminal }) {
    const [verb = 'list', ...types] = operands;
    if (verb !== 'list' && verb !== 'build')
      throw new UsageError(`nfio images does not know what to do with ${verb}.${didYouMean(verb, ['list', 'build'])}`, 'images');
    if (verb === 'list' && types[0] !== undefined)
      throw new UsageError(`nfio images list does not know what to do with ${types[0]}.`, 'images');
    if (values.libvirt)
      return await untilInterrupted((signal) => virtualMachines(verb, { types, json: values.json }, { terminal, signal }));
    const { defaultCertificates, Engine, parseEngineAddress } = await import('../../hypervisor/docker/engine/index.ts');
    const { DockerImageEngine } = await import('../images/docker-image-engine.ts');
    const connection = { certificates: defaultCertificates, insecure: values['insecure-engines'], connectTimeoutMs };
    using engine = new Engine(parseEngineAddress(values.host ?? ''), connection);
    const images = new DockerImageEngine(engine);
    return await untilInterrupted((signal) =>
      verb === 'list' ? list(images, values.json, { terminal, signal }) : build(images, { types, base: values.base }, { terminal, signal }),
    );
  },
});

interface Surroundings {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

async function list(engine: ImageEngine, json: boolean, { terminal, signal }: Surroundings): Promise<number> {
  const { listImages } = await import('../images/list.ts');
  const images = await listImages(engine, signal);
  const rows = images.map(({ type, image, sizeBytes, built }) =>
    sizeBytes === undefined
      ? [type, image, '-', `not there: nfio images build ${type}`]
      : [type, image, `${Math.round(sizeBytes / 1e6)} MB`, built ?? ''],
  );
  terminal.out(json ? `${JSON.stringify(images, undefined, 2)}\n` : columns([['TYPE', 'IMAGE', 'SIZE', 'BUILT'], ...rows]));
  return 0;
}

async function virtualMachines(
  verb: string,
  wanted: { readonly types: readonly string[]; readonly json: boolean },
  { terminal, signal }: Surroundings,
): Promise<number> {
  const { types, json } = wanted;
  if (types[0] !== undefined)
    throw new UsageError(`There is one image for virtual machines of all types, so ${types[0]} means nothing.`, 'images');
  const { vnfImage } = await import('../../middleboxes/vm-profile.ts');
  const { buildVnfImage, describeVnfImage } = await import('../images/libvirt/build.ts');
  if (verb === 'build') {
    terminal.err(`Building ${vnfImage} of Debian packages …\n`);
    await buildVnfImage(vnfImage, signal);
  }
  const found = await describeVnfImage(vnfImage);
  const rows =
    found === undefined
      ? [[vnfImage, '-', 'not there: nfio images build --libvirt']]
      : [[vnfImage, `${Math.round(found.bytes / 1e6)} MB`, `Linux ${found.release}`]];
  terminal.out(json ? `${JSON.stringify({ image: vnfImage, ...found }, undefined, 2)}\n` : columns([['IMAGE', 'SIZE', 'KERNEL'], ...rows]));
  return 0;
}

async function build(
  engine: ImageEngine,
  wanted: { readonly types: readonly string[]; readonly base: string | undefined },
  { terminal, signal }: Surroundings,
): Promise<number> {
  const { aptSources } = await import('../images/apt-sources.ts');
  const { ensureBase } = await import('../images/base.ts');
  const { buildImage, checkSpace } = await import('../images/build.ts');
  const { buildableTypes } = await import('../images/context.ts');
  const { buildReport } = await import('../images/report.ts');
  const known = await buildableTypes();
  const unknown = wanted.types.find((type) => !known.includes(type));
  if (unknown !== undefined)
    throw new UsageError(
      `There is no image for the type ${unknown}.${didYouMean(unknown, known)} There are: ${known.join(', ')}.`,
      'images',
    );
  const report = buildReport(terminal);
  await checkSpace(engine, signal);
  const base = await ensureBase(engine, { wanted: wanted.base, report, signal });
  const { proxies } = await aptSources();
  for (const type of wanted.types.length === 0 ? known : wanted.types) await buildImage(engine, type, { base, proxies, report, signal });
  return 0;
}

/** Ctrl-C ends what is going on, and nothing of it stays. */
async function untilInterrupted(run: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, interrupt);
  try {
    return await run(controller.signal);
  } finally {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, interrupt);
  }
}
