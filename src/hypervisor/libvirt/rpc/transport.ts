import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { NfioError } from '../../../errors/index.ts';
import { sealedStdio, spawnError } from '../../../network/index.ts';
import type { LibvirtUri } from './uri.ts';

const connectTimeoutMs = 10_000;
const tlsPort = 16_514;

/** Where daemons listen: the one for everything, else the one for QEMU alone. */
const sockets = ['/run/libvirt/libvirt-sock', '/run/libvirt/virtqemud-sock'] as const;

/** Runs at the other end of ssh: connects to the daemon there. The name of what it opens is given as the first argument. */
const remoteScript =
  'if command -v virt-ssh-helper >/dev/null 2>&1; then exec virt-ssh-helper "$1"; else exec nc -U /var/run/libvirt/libvirt-sock; fi';

/**
 * Opens a stream of bytes to a daemon.
 *
 * @param certificates directory with ca.pem, cert.pem and key.pem for TLS; empty: where libvirt has them (/etc/pki).
 * @throws HypervisorConnectionError (ECONNREFUSED, EHOSTUNREACH, EACCES) that says what to do, MissingToolError for ssh.
 */
export async function openTransport(uri: LibvirtUri, certificates: string): Promise<Duplex> {
  if (uri.transport === 'ssh') return openSsh(uri);
  if (uri.transport === 'tls') return await openTls(uri, certificates);
  const path = uri.socket ?? sockets.find((each) => existsSync(each)) ?? sockets[0];
  return await connected(connectSocket({ path }), 'connect', (cause) => refusedHere(path, cause));
}

async function openTls(uri: LibvirtUri, certificates: string): Promise<Duplex> {
  const [ca, cert, key] = await Promise.all(certificateFiles(certificates).map(readCertificate));
  const port = uri.port ?? tlsPort;
  const socket = connectTls({ host: uri.host, port, ca, cert, key, timeout: connectTimeoutMs });
  const refused = (cause: Error): NfioError =>
    unreachable(`${uri.host}:${port}`, cause, 'does libvirtd listen there with TLS, and know this certificate?');
  await connected(socket, 'secureConnect', refused);
  await verdict(socket, refused);
  socket.setTimeout(0);
  return socket;
}

/** The daemon's first byte says whether it takes our certificate. */
function verdict(socket: TLSSocket, refused: (cause: Error) => NfioError): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(refused(new Error('the certificate was refused')));
    socket.once('close', fail);
    socket.once('readable', () => {
      const [byte] = (socket.read(1) as Buffer | null) ?? [];
      if (byte !== 1) return fail();
      socket.off('close', fail);
      resolve();
    });
  });
}

function certificateFiles(directory: string): string[] {
  if (directory !== '') return ['ca.pem', 'cert.pem', 'key.pem'].map((name) => join(directory, name));
  return ['CA/cacert.pem', 'libvirt/clientcert.pem', 'libvirt/private/clientkey.pem'].map((name) => join('/etc/pki', name));
}

async function readCertificate(path: string): Promise<Buffer> {
  return await readFile(path).catch((cause: unknown) => {
    throw new NfioError('HypervisorConnectionError', {
      errno: 'EACCES',
      message: `${path} cannot be read, and TLS needs it. Write a directory with ca.pem, cert.pem and key.pem to certificates of the host`,
      cause,
    });
  });
}

function openSsh(uri: LibvirtUri): Duplex {
  const { host, port, user, keyFile, knownHosts, name } = uri;
  const options = ['-T', '-e', 'none', '-o', 'BatchMode=yes', '-o', `ConnectTimeout=${connectTimeoutMs / 1000}`];
  const extra = [
    ...(port === undefined ? [] : ['-p', String(port)]),
    ...(keyFile === undefined ? [] : ['-i', keyFile]),
    ...(knownHosts === undefined ? [] : ['-o', `UserKnownHostsFile=${knownHosts}`]),
  ];
  // What ssh hands on is text for the shell there: a constant, and a name that the URI's parser let through.
  const command = `sh -c '${remoteScript}' sh ${name}`;
  const child = spawn('ssh', [...options, ...extra, '--', user === '' ? host : `${user}@${host}`, command], {
    stdio: sealedStdio(['pipe', 'pipe', 'pipe']),
  }) as ChildProcessWithoutNullStreams;
  const stream = new Duplex({
    read: () => void child.stdout.resume(),
    write: (chunk: Buffer, _encoding, done) => void child.stdin.write(chunk, () => done()),
    destroy: (error, done) => {
      child.kill();
      done(error);
    },
  });
  let said = '';
  child.stdin.on('error', () => undefined); // its end says why
  child.stdout.on('data', (chunk: Buffer) => stream.push(chunk) || child.stdout.pause());
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-500);
  });
  child.once('error', (cause) => stream.destroy(spawnError('ssh', cause)));
  child.once('close', (code) => {
    const why = said.trim().replaceAll(/\s*\n\s*/g, '; ') || `ssh ended with status ${code}`;
    stream.destroy(unreachable(host, new Error(why), `does "ssh ${host}" work without a password, for root?`));
  });
  return stream;
}

function connected<S extends Duplex>(socket: S, event: string, refused: (cause: Error) => NfioError): Promise<S> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error(`no answer in ${connectTimeoutMs / 1000} s`)), connectTimeoutMs);
    const fail = (cause: Error): void => {
      clearTimeout(timer);
      reject(refused(cause));
    };
    socket.once('error', fail);
    socket.once(event, () => {
      clearTimeout(timer);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

function refusedHere(path: string, cause: Error): NfioError {
  const { code } = cause as NodeJS.ErrnoException;
  const remedy =
    code === 'ENOENT'
      ? 'Run: apt-get install libvirt-daemon-system qemu-system-x86 && systemctl start libvirtd'
      : code === 'EACCES'
        ? 'Run it as root'
        : 'Run: systemctl start libvirtd';
  const errno = code === 'EACCES' ? 'EACCES' : 'ECONNREFUSED';
  return new NfioError('HypervisorConnectionError', { errno, message: `libvirt does not answer at ${path} (${code}). ${remedy}`, cause });
}

function unreachable(where: string, cause: Error, question: string): NfioError {
  const errno = (cause as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? 'ECONNREFUSED' : 'EHOSTUNREACH';
  return new NfioError('HypervisorConnectionError', {
    errno,
    message: `libvirt on ${where} cannot be reached: ${cause.message}. ${question}`,
    cause,
  });
}
