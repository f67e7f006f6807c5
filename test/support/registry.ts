import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { accepts } from './accepts.ts';
import type { TestEngine } from './docker-engine.ts';

/** A registry of images on this machine, which engines trust because it is on the loopback. */
export class Registry implements AsyncDisposable {
  readonly port: number;
  readonly #directory: string;
  readonly #process: ChildProcess;

  private constructor(port: number, directory: string, child: ChildProcess) {
    this.port = port;
    this.#directory = directory;
    this.#process = child;
  }

  static async start(port: number): Promise<Registry> {
    const directory = mkdtempSync(join(tmpdir(), 'nfio-registry-'));
    const config = {
      version: '0.1',
      storage: { filesystem: { rootdirectory: join(directory, 'data') } },
      http: { addr: `127.0.0.1:${port}` },
    };
    writeFileSync(join(directory, 'config.yml'), JSON.stringify(config)); // JSON is YAML
    const child = spawn('docker-registry', ['serve', join(directory, 'config.yml')], { stdio: 'ignore' });
    child.unref();
    const registry = new Registry(port, directory, child);
    while (!(await accepts(port))) {
      if (child.exitCode !== null) throw new Error(`docker-registry ended with status ${child.exitCode}`);
      await sleep(50);
    }
    return registry;
  }

  /** Moves an image of an engine here. @returns the name it is fetched by. */
  async take(engine: TestEngine, image: string, name: string): Promise<string> {
    const repository = `127.0.0.1:${this.port}/${name}`;
    await engine.ask('POST', `/images/${encodeURIComponent(image)}/tag?repo=${encodeURIComponent(repository)}&tag=latest`);
    const said = await engine.say('POST', `/images/${encodeURIComponent(repository)}/push?tag=latest`, { 'X-Registry-Auth': 'e30=' });
    if (said.includes('"error"')) throw new Error(said);
    for (const each of [repository, image]) await engine.ask('DELETE', `/images/${encodeURIComponent(each)}?force=1`);
    return repository;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.ref();
    this.#process.kill();
    await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
