import { readFileSync, statSync } from 'node:fs';
import { unlessAbsent } from '../../errors/index.ts';

/** The user that Debian's libvirt runs QEMU as. */
const qemuUser = 'libvirt-qemu';

interface Owned {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** A user, with all its groups. */
interface User {
  readonly uid: number;
  readonly gids: readonly number[];
}

/** Something that makes libvirt slow on this machine, and the command that mends it. */
export interface Slowness {
  readonly why: string;
  readonly remedy: string;
}

/**
 * Why each call of this machine's libvirt takes long, where that is known: libvirt does not keep what it found out about a QEMU whose user cannot open
 * /dev/kvm, and runs QEMU anew at each call to find out.
 */
export function findSlowness(): Slowness | undefined {
  const user = findUser(qemuUser);
  const device = statSync('/dev/kvm', { throwIfNoEntry: false });
  return user === undefined || device === undefined || opens(user, device) ? undefined : closedDevice;
}

const closedDevice: Slowness = {
  why: `the user ${qemuUser} cannot open /dev/kvm, so that libvirt probes QEMU at each call`,
  remedy: `chown root:kvm /dev/kvm; chmod 660 /dev/kvm; usermod -aG kvm ${qemuUser}`,
};

/** True for a user who may read and write a file. */
export function opens(user: User, { uid, gid, mode }: Owned): boolean {
  const shift = user.uid === uid ? 6 : user.gids.includes(gid) ? 3 : 0;
  return user.uid === 0 || ((mode >> shift) & 6) === 6;
}

function findUser(name: string): User | undefined {
  const [, , uid, gid] = linesOf('/etc/passwd').find(([first]) => first === name) ?? [];
  if (uid === undefined) return undefined;
  const others = linesOf('/etc/group').filter(([, , , members = '']) => members.split(',').includes(name));
  return { uid: Number(uid), gids: [Number(gid), ...others.map(([, , id]) => Number(id))] };
}

function linesOf(path: string): string[][] {
  const lines = unlessAbsent(() => readFileSync(path, 'utf8'))?.split('\n') ?? [];
  return lines.map((line) => line.split(':'));
}
