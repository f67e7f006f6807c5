/** A line of the answer to a pull. */
export interface PullLine {
  readonly id?: string;
  readonly status?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string };
}

interface Layer {
  size: number;
  /** 0 to 1: one half is fetching it, the other unpacking it. */
  done: number;
}

/** Adds up what the layers of an image tell of themselves. */
export class PullProgress {
  readonly #layers = new Map<string, Layer>();
  #percent = 0;

  /** Takes a line; the per cent done when that has grown. */
  take({ id, status, progressDetail = {} }: PullLine): number | undefined {
    if (id === undefined || status === undefined) return undefined;
    const done = doneOf(status, progressDetail);
    if (done === undefined) return undefined;
    const layer = this.#layers.get(id) ?? { size: 0, done: 0 };
    layer.size = Math.max(layer.size, status === 'Downloading' ? (progressDetail.total ?? 0) : 0);
    layer.done = Math.max(layer.done, done);
    this.#layers.set(id, layer);
    return this.#grown();
  }

  #grown(): number | undefined {
    const layers = [...this.#layers.values()];
    // A layer whose size nobody told counts as a small one.
    const sizes = layers.map(({ size }) => Math.max(size, 1));
    const whole = sizes.reduce((sum, size) => sum + size, 0);
    const done = layers.reduce((sum, layer, index) => sum + layer.done * (sizes[index] ?? 0), 0);
    // Layers are told of one by one: what has been shown is not taken back.
    const percent = Math.min(99, Math.floor((100 * done) / whole));
    if (percent <= this.#percent) return undefined;
    this.#percent = percent;
    return percent;
  }
}

function doneOf(status: string, { current = 0, total = 0 }: NonNullable<PullLine['progressDetail']>): number | undefined {
  const part = total > 0 ? Math.min(current / total, 1) : 0;
  switch (status) {
    case 'Pulling fs layer':
    case 'Waiting':
      return 0;
    case 'Downloading':
      return part / 2;
    case 'Verifying Checksum':
    case 'Download complete':
      return 0.5;
    case 'Extracting':
      return 0.5 + part / 2;
    case 'Pull complete':
    case 'Already exists':
      return 1;
    default:
      return undefined;
  }
}
