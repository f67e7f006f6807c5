import {
  type Content,
  type DirectorySpec,
  type FileSpec,
  type Listing,
  type ObjectSpec,
  topIndex,
  type WriteMeaning,
} from './file-spec.ts';

/** Collects the files of one kind of object, and puts each into its directory. */
export class SpecBuilder {
  readonly #byIndex: (FileSpec | undefined)[] = [];
  readonly #children = new Map<string, Map<string, FileSpec>>();
  readonly #top: DirectorySpec;

  constructor(listing?: Listing) {
    this.#top = this.#directory(topIndex, '', listing);
  }

  directory(index: number, path: string, listing?: Listing): this {
    this.#directory(index, path, listing);
    return this;
  }

  /** Files of what the steering counts, with consecutive indices. */
  steering(firstIndex: number, paths: readonly string[]): this {
    for (const [offset, path] of paths.entries()) this.file(firstIndex + offset, path, { mode: 0o444, content: 'steering' });
    return this;
  }

  /** A directory of user files. */
  backed(index: number, path: string, mode: number): this {
    this.#add({ type: 'backed', index, path, name: baseName(path), mode });
    return this;
  }

  link(index: number, path: string): this {
    this.#byIndex[index] = { type: 'link', index, path, name: baseName(path), mode: 0o777 };
    return this;
  }

  file(index: number, path: string, options: { readonly mode: number; readonly content: Content; readonly write?: WriteMeaning }): this {
    this.#add({ type: 'file', index, path, name: baseName(path), mode: options.mode, content: options.content, write: options.write });
    return this;
  }

  /** A value users set. */
  setting(index: number, path: string): this {
    return this.file(index, path, { mode: 0o644, content: 'text', write: 'setting' });
  }

  /** A value they only read. */
  value(index: number, path: string): this {
    return this.file(index, path, { mode: 0o444, content: 'text' });
  }

  /** Counters with consecutive indices. */
  counters(firstIndex: number, paths: readonly string[]): this {
    for (const [offset, path] of paths.entries()) this.file(firstIndex + offset, path, { mode: 0o444, content: 'counter' });
    return this;
  }

  build(): ObjectSpec {
    return { byIndex: this.#byIndex, top: this.#top };
  }

  #directory(index: number, path: string, listing: Listing | undefined): DirectorySpec {
    const children = new Map<string, FileSpec>();
    this.#children.set(path, children);
    const spec: DirectorySpec = { type: 'directory', index, path, name: baseName(path), mode: 0o755, children, listing };
    this.#add(spec);
    return spec;
  }

  #add(spec: FileSpec): void {
    this.#byIndex[spec.index] = spec;
    if (spec.path === '') return;
    const directory = spec.path.slice(0, -spec.name.length).replace(/\/$/, '');
    if (!this.#children.has(directory)) this.#directory(spec.index + firstImplied, directory, undefined);
    this.#children.get(directory)?.set(spec.name, spec);
  }
}

/** Directories that a module's file implies (`a/b` implies `a`) get the file's index and this. */
const firstImplied = 1024;

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
