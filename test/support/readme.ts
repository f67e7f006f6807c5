import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');

/** A section of the README, with its heading. */
interface Section {
  readonly heading: string;
  readonly blocks: readonly { readonly language: string; readonly text: string }[];
}

const sections: readonly Section[] = page.split(/^## /m).map((text) => ({
  heading: text.split('\n', 1)[0] ?? '',
  blocks: [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', block = '']) => ({ language, text: block })),
}));

/** Shown rather than pasted: what the project is, with prompts, and how to get it. */
const shown = ['# nf.io', 'Two commands'];
const onOtherHypervisors = 'Containers and virtual machines';

/** What stands for what the README says, so that tests disturb nobody on the machine. */
export interface Stand {
  /** Directory that everything is in, in place of / and of /var/lib. */
  readonly directory: string;
  /** Undefined: no engine and no libvirt, the section about them is left out. */
  readonly elsewhere: { readonly dockerSocket: string; readonly libvirtUri: string; readonly vmImage: string } | undefined;
}

/** The commands of the README from top to bottom, as one bash script. It has the mount in `directory`/nfio instead of /nfio. */
export function readmeScript({ directory, elsewhere }: Stand): string {
  const pasted = sections.filter(({ heading }) => !shown.includes(heading) && (elsewhere !== undefined || heading !== onOtherHypervisors));
  const blocks = pasted.flatMap((section) => section.blocks.filter(({ language }) => language === '').map(({ text }) => text));
  assert.ok(blocks.length >= 10, `there are ${blocks.length} blocks of commands`);
  const end = elsewhere === undefined ? ['cd / && nfio umount /nfio\n'] : [];
  const mount = ['nfio mount --root', join(directory, 'root')];
  if (elsewhere !== undefined) mount.push('--docker-socket', elsewhere.dockerSocket, '--libvirt-uri', `'${elsewhere.libvirtUri}'`);
  let script = ['set -e\n', ...blocks, ...end].join('');
  script = replaceOnce(script, 'nfio mount /nfio', `${mount.join(' ')} /nfio`);
  if (elsewhere !== undefined) {
    // The image for virtual machines takes long to make, and would stay on the machine: a test has one.
    const build = `nfio images build --host unix://${elsewhere.dockerSocket} proxy`;
    script = replaceOnce(script, 'nfio images build proxy && nfio images build --libvirt', build);
    const host = 'echo vms > firewall/fw/machine/ip\n';
    script = replaceOnce(script, host, `${host}echo ${elsewhere.vmImage} > firewall/fw/machine/vm.image\n`);
  }
  return script.replaceAll(/(?<=[\s])\/nfio\b/g, join(directory, 'nfio'));
}

function replaceOnce(text: string, from: string, to: string): string {
  assert.equal(text.split(from).length, 2, `"${from}" is in the README once`);
  return text.replace(from, () => to);
}
