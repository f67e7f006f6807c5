import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Makes an authority with certificates of a server (127.0.0.1) and of a client.
 *
 * @returns the directories with ca.pem, cert.pem and key.pem of each.
 */
export function makeCertificates(directory: string, name: string): { readonly server: string; readonly client: string } {
  const at = (...path: readonly string[]): string => join(directory, name, ...path);
  const openssl = (...argv: readonly string[]): void => void execFileSync('openssl', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
  for (const side of ['server', 'client']) mkdirSync(at(side), { recursive: true });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-days', '2', '-subj', `/CN=${name}`, '-keyout', at('ca.key'), '-out', at('ca.pem'));
  for (const side of ['server', 'client'] as const) {
    openssl('req', ...key, '-subj', `/CN=${side}`, '-keyout', at(side, 'key.pem'), '-out', at('request'));
    writeFileSync(
      at('extensions'),
      side === 'server' ? 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' : 'extendedKeyUsage=clientAuth\n',
    );
    const authority = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2', '-extfile', at('extensions')];
    openssl('x509', '-req', '-in', at('request'), ...authority, '-out', at(side, 'cert.pem'));
    execFileSync('cp', [at('ca.pem'), at(side, 'ca.pem')]);
  }
  return { server: at('server'), client: at('client') };
}
