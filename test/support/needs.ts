import { shell } from './shell.ts';

/** True when a program is there; else the test is skipped, which in CI is a failure. */
export async function needs(program: string, context: { skip(reason: string): void }): Promise<boolean> {
  const there = (await shell(`command -v ${program}`)).status === 0;
  if (!there) context.skip(`${program} is not installed: apt-get install ${program}`);
  return there;
}
