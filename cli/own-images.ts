/** Images of the user's own (`podwire up --image FILE`): each is a TypeScript file that exports an image, and becomes part of the bundle. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Plugin } from 'esbuild';
import { UserError } from './user-error.ts';

/** Absolute paths. Throws a UserError for a file that is not there. */
export function imageFiles(paths: readonly string[]): string[] {
  return paths.map((path) => {
    const file = resolve(path);
    if (!existsSync(file)) throw new UserError(`--image ${path}: there is no such file`);
    return file;
  });
}

/**
 * Puts what the files export in the place of `node-agent/images/own-images.ts`: whatever has repositories and programs is an
 * image. In them `podwire/` is the folder of images, `podwire/image.ts` for one, wherever the file itself lies.
 */
export function ownImagesPlugin(projectRoot: string, files: readonly string[]): Plugin {
  const folder = join(projectRoot, 'node-agent/images');
  return {
    name: 'own-images',
    setup(build) {
      build.onResolve({ filter: /^podwire\// }, ({ path }) => ({ path: join(folder, path.slice('podwire/'.length)) }));
      build.onLoad({ filter: /node-agent[\\/]images[\\/]own-images\.ts$/ }, ({ path }) => ({
        contents: sourceOf(files),
        loader: 'ts',
        resolveDir: dirname(path),
      }));
    },
  };
}

function sourceOf(files: readonly string[]): string {
  const imports = files.map((file, index) => `import * as own${index} from ${JSON.stringify(file)};`);
  const modules = files.map((_, index) => `own${index}`).join(', ');
  return [
    ...imports,
    `export const OWN_IMAGES = [${modules}].flatMap((exported) => Object.values(exported))`,
    "  .filter((value) => typeof value === 'object' && value !== null && 'repositories' in value && 'programs' in value);",
  ].join('\n');
}
