/**
 * Packages bring parts along that no process here uses, and all of them load: 180 KB of source text and what V8 makes of it, in
 * each of a cluster's dozen processes. In bundles such a part is one that says so.
 *
 *   nats             Ed25519 keys (the bus asks for a token), buckets, objects, services, a benchmark
 *   pino             worker threads that write logs, redaction
 *   msgpackr         a search for a native addon, which a bundle never finds
 */
import type { Plugin } from 'esbuild';

interface UnusedPart {
  /** As it is imported, relative names without their folders. */
  readonly name: string;
  /** The package that imports it. */
  readonly of: string;
}

const UNUSED_PARTS: readonly UnusedPart[] = [
  { name: 'nkeys.js', of: 'nats' },
  { name: 'kv', of: 'nats' },
  { name: 'objectstore', of: 'nats' },
  { name: 'service', of: 'nats' },
  { name: 'serviceclient', of: 'nats' },
  { name: 'bench', of: 'nats' },
  { name: 'thread-stream', of: 'pino' },
  { name: '@pinojs/redact', of: 'pino' },
  { name: 'msgpackr-extract', of: 'msgpackr' },
];

const NAMESPACE = 'lean-packages';

export const leanPackagesPlugin: Plugin = {
  name: NAMESPACE,
  setup(build) {
    for (const { name, of } of UNUSED_PARTS) {
      build.onResolve({ filter: new RegExp(`^(\\.{1,2}/)*([\\w-]+/)*${name}$`) }, ({ importer }) =>
        importer.includes(`/node_modules/${of}/`) ? { path: `${of}/${name}`, namespace: NAMESPACE } : undefined,
      );
    }
    build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => ({ contents: leftOut(path), loader: 'js' }));
  },
};

/** Nothing may be taken from it. msgpackr asks whether its addon is there, and is told that it is not. */
function leftOut(part: string): string {
  if (part === 'msgpackr/msgpackr-extract') return 'module.exports = undefined;';
  return `module.exports = new Proxy({}, {
  get(_, name) {
    if (name === '__esModule') return true;
    throw new Error('podwire leaves ${part} out of its bundles, and ' + String(name) + ' is asked of it');
  },
});`;
}
