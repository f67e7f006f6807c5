import type { Readable } from 'node:stream';

/** An image that an engine holds. */
export interface HeldImage {
  /** `nfio/host:latest`. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Since 1970. */
  readonly createdMs: number;
}

/** What a build tells as it goes on. */
export interface BuildLine {
  /** Of a step or of the program that it runs, with line ends. */
  readonly stream?: string;
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string };
}

/** What to build. */
export interface BuildRequest {
  readonly name: string;
  /** A tar archive with a Dockerfile. */
  readonly context: Readable;
  readonly arguments: Readonly<Record<string, string>>;
}

/** What building images needs of an engine. Each method rejects with a NfioError: when it cannot be reached, says no or was aborted. */
export interface ImageEngine {
  /** As people write its address. */
  readonly name: string;
  hasImage(image: string, signal: AbortSignal): Promise<boolean>;
  /** @throws NotFoundError (ENOENT) when no registry has it or can be reached. */
  pull(image: string, onProgress: (percent: number) => void, signal: AbortSignal): Promise<void>;
  /** The lines of a build, which has ended when there are no more. */
  build(request: BuildRequest, signal: AbortSignal): AsyncIterable<BuildLine>;
  /** Makes an image of a tar archive of a root file system. */
  import(image: string, archive: Readable, signal: AbortSignal): Promise<void>;
  /** Its images whose names match, `nfio/*`. */
  list(pattern: string, signal: AbortSignal): Promise<readonly HeldImage[]>;
  /** Bytes that its images may still take; undefined where that cannot be told. */
  freeBytes(signal: AbortSignal): Promise<number | undefined>;
}
