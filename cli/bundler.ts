/**
 * Bundles every process into one file (and a file for each part that is loaded later), so that it starts in the time
 * of reading one file instead of resolving hundreds.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { PROCESS_SOURCES, type ProcessName } from '../shared/runtime/entry-point.ts';
import { leanHttpPlugin } from './lean-http-plugin.ts';
import { leanPackagesPlugin } from './lean-packages-plugin.ts';
import { ownImagesPlugin } from './own-images.ts';
import { UserError } from './user-error.ts';

/** Loaded as they are: native addons, programs, and what such packages load by a computed name. */
const EXTERNAL_PACKAGES = ['koffi', 'esbuild', 'node', 'bufferutil', 'utf-8-validate'];
/** Not loaded but read as files. */
const DATA_PACKAGES = ['kubernetes-types'];
/** Whose files are part of a bundle, and so of its hash. */
const SOURCE_FOLDERS = ['shared', 'services', 'node-agent', 'dns', 'proxy', 'cli'];
/** Older bundles that are kept, as a running cluster may still start processes from them: so many, and all young ones. */
const KEPT_BUNDLES = 4;
const YOUNG_MS = 6 * 60 * 60 * 1000;
const DRAFT_PREFIX = 'draft-';
const LONGEST_BUNDLING_MS = 60 * 60 * 1000;

export interface BundleOptions {
  readonly projectRoot: string;
  readonly outFolder: string;
  readonly names?: readonly ProcessName[];
  /** Absolute paths of images of the user's own. */
  readonly ownImages?: readonly string[];
}

/** The folder with the present sources' bundles; made when it is missing. */
export async function bundleWhenChanged(
  projectRoot: string,
  report: (text: string) => void,
  ownImages: readonly string[] = [],
): Promise<string> {
  const dist = join(projectRoot, 'dist');
  const outFolder = join(dist, hashSources(projectRoot, ownImages));
  if (existsSync(outFolder)) return outFolder;
  report('bundling the processes (once after each change)');
  const draft = join(dist, `${DRAFT_PREFIX}${process.pid}`);
  try {
    await bundle({ projectRoot, outFolder: draft, ownImages });
    if (!existsSync(outFolder)) renameSync(draft, outFolder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  removeOldBundles(dist, outFolder);
  removeLeftDrafts(dist);
  return outFolder;
}

export async function bundle(options: BundleOptions): Promise<void> {
  const { projectRoot, outFolder, names = processNames(), ownImages = [] } = options;
  const { build } = await import('esbuild');
  mkdirSync(outFolder, { recursive: true });
  const builds = names.map((name) =>
    build({
      absWorkingDir: projectRoot,
      entryPoints: { [name]: PROCESS_SOURCES[name] },
      outdir: outFolder,
      outExtension: { '.js': '.mjs' },
      chunkNames: `${name}-[name]-[hash]`,
      bundle: true,
      // Each process by itself, so that only what is loaded later becomes a file of its own.
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node22',
      external: EXTERNAL_PACKAGES,
      plugins: [leanHttpPlugin, leanPackagesPlugin, ownImagesPlugin(projectRoot, ownImages)],
      minifyWhitespace: true,
      minifySyntax: true,
      sourcemap: 'linked',
      sourcesContent: false,
      legalComments: 'none',
      metafile: true,
      logLevel: 'silent',
      banner: { js: COMMONJS_BANNER },
    }),
  );
  try {
    const results = await Promise.all(builds);
    const imported = results.flatMap(({ metafile }) =>
      Object.values(metafile.outputs).flatMap(({ imports }) => imports),
    );
    const needed = new Set(imported.filter(({ external }) => external === true).map(({ path }) => path));
    if (dirname(outFolder) !== join(projectRoot, 'dist')) copyPackages(projectRoot, outFolder, needed);
  } catch (error) {
    throw new UserError(
      `the processes could not be bundled: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** What CommonJS modules inside an ES module expect to find. */
const COMMONJS_BANNER = [
  "import { createRequire as createRequireOfBundle } from 'node:module';",
  "import { fileURLToPath as filePathOfBundle } from 'node:url';",
  'const require = createRequireOfBundle(import.meta.url);',
  "const __filename = filePathOfBundle(import.meta.url), __dirname = filePathOfBundle(new URL('.', import.meta.url));",
].join('\n');

function processNames(): ProcessName[] {
  // The keys of a constant object are its type's keys.
  return Object.keys(PROCESS_SOURCES) as ProcessName[];
}

/** By path, size and time of change of every source: cheap, and a copy of the project bundles once more at worst. */
function hashSources(projectRoot: string, ownImages: readonly string[]): string {
  const hash = createHash('sha256').update(process.version);
  const add = (path: string): void => {
    const { size, mtimeMs } = statSync(resolve(projectRoot, path));
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  };
  add('package-lock.json');
  for (const file of ownImages) add(file);
  for (const folder of SOURCE_FOLDERS) {
    if (!existsSync(join(projectRoot, folder))) continue;
    const entries = readdirSync(join(projectRoot, folder), { recursive: true, encoding: 'utf8' });
    for (const entry of entries.sort()) if (isBundled(entry)) add(join(folder, entry));
  }
  return hash.digest('hex').slice(0, 16);
}

function isBundled(path: string): boolean {
  return /\.(ts|json|ya?ml|txt|html)$/.test(path) && !path.endsWith('.test.ts');
}

function removeOldBundles(dist: string, current: string): void {
  const others = readdirSync(dist)
    .map((name) => join(dist, name))
    .filter((path) => path !== current && /\/[0-9a-f]{16}$/.test(path))
    .map((path) => ({ path, changedMs: statSync(path).mtimeMs }))
    .sort((a, b) => b.changedMs - a.changedMs)
    .slice(KEPT_BUNDLES)
    .filter(({ changedMs }) => Date.now() - changedMs > YOUNG_MS);
  for (const { path } of others) rmSync(path, { recursive: true, force: true });
}

/** Of commands that were killed while they bundled. */
function removeLeftDrafts(dist: string): void {
  const left = readdirSync(dist)
    .filter((name) => name.startsWith(DRAFT_PREFIX))
    .map((name) => join(dist, name))
    .filter((path) => Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) > LONGEST_BUNDLING_MS);
  for (const path of left) rmSync(path, { recursive: true, force: true });
}

/** Packages that a bundle outside the project cannot find in the project's node_modules. */
function copyPackages(projectRoot: string, outFolder: string, imported: ReadonlySet<string>): void {
  const loaded = EXTERNAL_PACKAGES.filter((name) => imported.has(name) && name !== 'esbuild');
  const pending = [...DATA_PACKAGES, ...loaded];
  const copied = new Set<string>();
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const source = join(projectRoot, 'node_modules', name);
    if (copied.has(name) || !existsSync(source)) continue;
    copied.add(name);
    cpSync(source, join(outFolder, 'node_modules', name), { recursive: true, dereference: true });
    pending.push(...dependenciesOf(source));
  }
}

function dependenciesOf(folder: string): string[] {
  const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const names: string[] = [];
  for (const field of ['dependencies', 'optionalDependencies'] as const) {
    const listed = typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, field) : undefined;
    if (typeof listed === 'object' && listed !== null) names.push(...Object.keys(listed));
  }
  return names;
}
