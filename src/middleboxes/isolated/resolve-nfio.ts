import { registerHooks } from 'node:module';
import { extname } from 'node:path';

/** What a module may import of this very package, from source or built. */
const ending = extname(import.meta.url);
const targets: Readonly<Record<string, string>> = {
  nfio: new URL(`../for-modules${ending}`, import.meta.url).href,
  'nfio/fuse': new URL(`../../fuse/index${ending}`, import.meta.url).href,
};

/**
 * From now on `import … from 'nfio'` means this running package in this thread, wherever it is written: a module needs no installation
 * beside it.
 */
export function resolveNfio(): void {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const url = Object.hasOwn(targets, specifier) ? targets[specifier] : undefined;
      return url === undefined ? nextResolve(specifier, context) : { url, shortCircuit: true };
    },
  });
}
