/**
 * Which folder may import which, and which folders are pure. The tables are the decision record: a new edge is added
 * here, on purpose, or not at all.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

/** A layer is the longest prefix of a file's path in this table; it may import itself and what is listed. */
const allowedImports: Record<string, readonly string[]> = {
  'shared/wire': [],
  'shared/netstack': ['shared/wire'],
  'shared/rules': ['shared/wire'],
  'shared/podnet': ['shared/wire', 'shared/netstack'],
  'shared/api': [],
  // What policies say is needed by nodes, which enforce it, and by the CLI, which explains it.
  'shared/policy': ['shared/api', 'shared/netstack', 'shared/wire'],
  'shared/runtime': [],
  // The C library and libuv: sockets, devices and timers below Node's.
  'shared/native': [],
  'shared/bus': ['shared/api', 'shared/runtime', 'shared/rules'],
  services: ['shared/api', 'shared/bus', 'shared/runtime'],
  // It counts addresses.
  'services/cloud-controller': ['shared/api', 'shared/bus', 'shared/runtime', 'shared/wire'],
  'node-agent/datapath': ['shared/wire', 'shared/netstack', 'shared/policy', 'shared/rules'],
  'node-agent/io': ['node-agent/datapath', 'shared/native', 'shared/wire', 'shared/netstack'],
  'node-agent/images': ['shared/podnet', 'shared/wire', 'shared/netstack', 'shared/runtime'],
  'node-agent/policy': ['node-agent/datapath', 'shared/api', 'shared/bus', 'shared/policy', 'shared/runtime'],
  'node-agent/outside': ['shared/api', 'shared/bus', 'shared/podnet', 'shared/runtime'],
  'node-agent/cni': [
    'node-agent/datapath',
    // What cilium gives the agent of its node's policies.
    'node-agent/policy',
    'shared/api',
    'shared/bus',
    'shared/netstack',
    // cilium's proxy has sockets.
    'shared/podnet',
    // What cilium's commands show of policies, and by what other nodes know its addresses.
    'shared/policy',
    'shared/rules',
    'shared/runtime',
    'shared/wire',
  ],
  'node-agent': [
    'node-agent/datapath',
    'node-agent/io',
    'node-agent/images',
    'node-agent/cni',
    'node-agent/policy',
    'node-agent/outside',
    'shared/wire',
    'shared/netstack',
    'shared/rules',
    'shared/podnet',
    'shared/api',
    'shared/bus',
    'shared/runtime',
  ],
  // On the machine's own ports it answers in batches.
  dns: ['shared/api', 'shared/bus', 'shared/native', 'shared/podnet', 'shared/runtime'],
  'proxy/kube-proxy/compile': ['shared/api', 'shared/rules', 'shared/wire'],
  // Its health check ports are the node's, in the emulated network.
  'proxy/kube-proxy': [
    'proxy/kube-proxy/compile',
    'shared/api',
    'shared/bus',
    'shared/podnet',
    'shared/rules',
    'shared/runtime',
    'shared/wire',
  ],
  // Captures are read and written here: `shared/wire` holds their format and the filter language.
  cli: ['shared/api', 'shared/bus', 'shared/policy', 'shared/rules', 'shared/runtime', 'shared/wire'],
  bench: ['*'],
  test: ['*'],
  labs: ['*'],
};

/** Folders that hold only functions of their arguments: no I/O, no clock, no randomness, no `await`. */
const pureFolders = [
  'shared/wire',
  'shared/netstack',
  'shared/rules',
  'shared/api',
  'shared/policy',
  'node-agent/datapath',
  'proxy/kube-proxy/compile',
];

/** Developer scripts and test kits inside pure folders, which never run in a process of the cluster. */
const notShipped = /\.(test|testkit|script|bench)\.ts$/;

const impure: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  { pattern: /from 'node:/, what: "a 'node:' import" },
  { pattern: /\bimport\('node:/, what: "a dynamic 'node:' import" },
  { pattern: /\bDate\.now\(|\bnew Date\(\)/, what: 'a clock' },
  { pattern: /\bperformance\.now\(/, what: 'a clock' },
  { pattern: /\bMath\.random\(|\bcrypto\.(getRandomValues|randomUUID)\(/, what: 'randomness' },
  { pattern: /\b(setTimeout|setInterval|setImmediate|queueMicrotask)\(/, what: 'a timer' },
  { pattern: /\bawait\b/, what: 'an await' },
  { pattern: /\bprocess\.(env|argv|nextTick|hrtime|on|exit)\b/, what: 'the process' },
  { pattern: /\bBuffer\.(from|alloc|allocUnsafe|concat)\(/, what: "Node's Buffer" },
];

function sourceFiles(folder: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(root, folder))) {
    if (entry === 'node_modules' || entry === 'dist') continue;
    const path = join(folder, entry);
    if (statSync(join(root, path)).isDirectory()) found.push(...sourceFiles(path));
    else if (path.endsWith('.ts') && !path.endsWith('.d.ts')) found.push(path);
  }
  return found;
}

function layerOf(path: string): string | undefined {
  let best: string | undefined;
  for (const layer of Object.keys(allowedImports)) {
    if (path.startsWith(`${layer}/`) && (best === undefined || layer.length > best.length)) best = layer;
  }
  return best;
}

/** A process is a folder of its own: services/apiserver may not import services/scheduler. */
function processOf(path: string): string | undefined {
  const [top, second] = path.split('/');
  return top === 'services' || top === 'proxy' ? `${top}/${second}` : undefined;
}

function importedPaths(path: string, source: string): string[] {
  const specifiers = [...source.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) => match[1] as string);
  return specifiers.map((specifier) => relative(root, resolve(root, dirname(path), specifier)));
}

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}

const topFolders = [...new Set(Object.keys(allowedImports).map((layer) => layer.split('/')[0] as string))].filter(
  (folder) => statSync(join(root, folder), { throwIfNoEntry: false })?.isDirectory(),
);
const files = topFolders.flatMap(sourceFiles);

describe('layers', () => {
  it('finds the source tree', () => {
    expect(files.length).toBeGreaterThan(10);
  });

  it('imports go only in the listed directions', () => {
    const wrong: string[] = [];
    for (const path of files) {
      if (path.endsWith('.test.ts') || path.endsWith('.testkit.ts')) continue;
      const layer = layerOf(path);
      if (layer === undefined) {
        wrong.push(`${path}: belongs to no layer`);
        continue;
      }
      const allowed = allowedImports[layer] as readonly string[];
      for (const target of importedPaths(path, readFileSync(join(root, path), 'utf8'))) {
        const targetLayer = layerOf(target);
        const sameProcess = processOf(path) === processOf(target);
        const fine =
          targetLayer !== undefined &&
          (allowed.includes('*') || (targetLayer === layer && sameProcess) || allowed.includes(targetLayer));
        if (!fine) wrong.push(`${path} imports ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('pure folders have no I/O, clock, randomness, timers or await', () => {
    const wrong: string[] = [];
    for (const path of files) {
      if (notShipped.test(path)) continue;
      if (!pureFolders.some((folder) => path.startsWith(`${folder}/`))) continue;
      const source = withoutComments(readFileSync(join(root, path), 'utf8'));
      for (const { pattern, what } of impure) {
        if (pattern.test(source)) wrong.push(`${path} has ${what}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});
