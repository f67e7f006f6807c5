/** One name of a file, in a directory. */
export interface Link<Directory> {
  readonly parent: Directory;
  readonly name: string;
}

/** A name between those that were noted before and after it. */
interface Noted<Directory> extends Link<Directory> {
  older: Noted<Directory> | undefined;
  newer: Noted<Directory> | undefined;
}

/** So many names are looked through; more are indexed. */
const fewNames = 8;

/** The names of one file, in the order in which they were noted. All steps cost the same, however many there are: a file may have 65,000 (ext4). */
export class Names<Directory> {
  #newest: Noted<Directory> | undefined;
  #count = 0;
  /** Made when there are more than a few. */
  #index: Map<Directory, Map<string, Noted<Directory>>> | undefined;

  get newest(): Link<Directory> | undefined {
    return this.#newest;
  }

  /** Takes note of a name, which is the newest then. @returns whether it was not. */
  add(parent: Directory, name: string): boolean {
    if (this.#newest?.parent === parent && this.#newest.name === name) return false;
    this.remove(parent, name);
    const noted: Noted<Directory> = { parent, name, older: this.#newest, newer: undefined };
    if (this.#newest !== undefined) this.#newest.newer = noted;
    this.#newest = noted;
    this.#count += 1;
    if (this.#index !== undefined) put(this.#index, noted);
    else if (this.#count > fewNames) this.#index = this.#makeIndex();
    return true;
  }

  remove(parent: Directory, name: string): void {
    const noted = this.#find(parent, name);
    if (noted === undefined) return;
    this.#count -= 1;
    this.#index?.get(parent)?.delete(name);
    if (this.#count === 0) this.#index = undefined;
    if (noted.older !== undefined) noted.older.newer = noted.newer;
    if (noted.newer === undefined) this.#newest = noted.older;
    else noted.newer.older = noted.older;
  }

  #find(parent: Directory, name: string): Noted<Directory> | undefined {
    if (this.#index !== undefined) return this.#index.get(parent)?.get(name);
    let noted = this.#newest;
    while (noted !== undefined && (noted.parent !== parent || noted.name !== name)) noted = noted.older;
    return noted;
  }

  #makeIndex(): Map<Directory, Map<string, Noted<Directory>>> {
    const index = new Map<Directory, Map<string, Noted<Directory>>>();
    for (let noted = this.#newest; noted !== undefined; noted = noted.older) put(index, noted);
    return index;
  }
}

function put<Directory>(index: Map<Directory, Map<string, Noted<Directory>>>, noted: Noted<Directory>): void {
  const inParent = index.get(noted.parent);
  if (inParent === undefined) index.set(noted.parent, new Map([[noted.name, noted]]));
  else inParent.set(noted.name, noted);
}
