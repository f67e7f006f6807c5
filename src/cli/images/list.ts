import { imageOf } from '../../middleboxes/container-profile.ts';
import { buildableTypes } from './context.ts';
import type { ImageEngine } from './image-engine.ts';

/** The image of a type, as an engine holds it or not. */
export interface ListedImage {
  readonly type: string;
  readonly image: string;
  /** undefined: not built. */
  readonly sizeBytes: number | undefined;
  /** Time of the build, as ISO 8601 has it. */
  readonly built: string | undefined;
}

/** The images of all built-in types. */
export async function listImages(engine: ImageEngine, signal: AbortSignal): Promise<readonly ListedImage[]> {
  const held = new Map((await engine.list('nfio/*', signal)).map((image) => [image.name, image]));
  return (await buildableTypes()).map((type) => {
    const image = imageOf(type);
    const found = held.get(image);
    return { type, image, sizeBytes: found?.sizeBytes, built: found && new Date(found.createdMs).toISOString() };
  });
}
