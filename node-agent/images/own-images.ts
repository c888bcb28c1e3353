/** Images of the user's own: none, unless `podwire up --image FILE` puts others in the place of this file (`cli/own-images.ts`). */
import type { Image } from './image.ts';

export const OWN_IMAGES: readonly Image[] = [];
