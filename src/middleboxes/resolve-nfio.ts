import { registerHooks } from 'node:module';
import { extname } from 'node:path';

/** What a module outside any node_modules may import of this very package, from source or built. */
const ending = extname(import.meta.url);
const targets: Readonly<Record<string, string>> = {
  nfio: new URL(`../index${ending}`, import.meta.url).href,
  'nfio/fuse': new URL(`../fuse/index${ending}`, import.meta.url).href,
};

let registered = false;

/**
 * From now on `import … from 'nfio'` means this running package, wherever it is written: a module shares its error classes
 * with nf.io, and needs no installation beside it. Idempotent.
 */
export function resolveNfio(): void {
  if (registered) return;
  registered = true;
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const url = Object.hasOwn(targets, specifier) ? targets[specifier] : undefined;
      return url === undefined ? nextResolve(specifier, context) : { url, shortCircuit: true };
    },
  });
}
