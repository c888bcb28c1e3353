/**
 * Programs of pods reach the network through their pod alone: what runs in a pod, and what the kubelet asks of one, opens no
 * socket of the machine's. Node's modules may be used for what needs no socket: parsers, servers that are handed their
 * connections, and TLS over a given stream.
 */
import { globSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { createServer } from 'node:net';
import { join, relative } from 'node:path';
import { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { requestOver } from '../shared/podnet/http.ts';

const root = join(import.meta.dirname, '..');
const FOLDERS = ['node-agent/images', 'node-agent/pods', 'node-agent/streams', 'dns', 'proxy', 'shared/podnet'];

/** Files that do open the machine's sockets, each with its reason. */
const exempt: Readonly<Record<string, string>> = {
  'dns/host-network.ts': 'the DNS server on the machine itself (--listen), which no pod runs',
  'node-agent/images/node-program/inside/name-lookup.ts':
    'replaces the functions by which a Node program asks for names',
  'shared/podnet/grpc-health.ts': 'asks over a given connection, and its server is handed its own',
  'shared/podnet/http.ts': 'the one place that makes requests of HTTP/1, over given connections',
  'shared/podnet/socket-client.ts': 'the Unix socket to the process that has the stack',
  'shared/podnet/socket-server.ts': 'the Unix socket for processes of pods',
};

/** What of each module opens no socket by itself. */
const harmless: Readonly<Record<string, readonly string[]>> = {
  'node:net': ['isIP', 'isIPv4', 'isIPv6', 'BlockList', 'SocketAddress'],
  'node:http': ['createServer', 'STATUS_CODES', 'METHODS'],
  'node:https': ['createServer'],
  // Over a `socket` that is given.
  'node:tls': ['connect', 'createSecureContext', 'TLSSocket', 'default'],
  'node:dns': [],
  'node:dns/promises': [],
  'node:dgram': [],
  'node:http2': [],
  undici: [],
};

const sources = FOLDERS.flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: root })).filter(
  (path) => !/\.(test|testkit|script)\.ts$/.test(path) && exempt[path] === undefined,
);

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}

/** Names imported as values: `import a, { b as c, type D } from 'm'` gives `default`, `b`. */
function importedValues(source: string): { module: string; name: string }[] {
  const found: { module: string; name: string }[] = [];
  for (const [, clause = '', module = ''] of source.matchAll(
    /(?:^|\n)import\s+(?!type\b)([^'"]*?)\s*from\s*'([^']+)'/g,
  )) {
    const named = /\{([\s\S]*)\}/.exec(clause)?.[1] ?? '';
    for (const part of named.split(',')) {
      const name = part.trim().split(/\s+as\s+/)[0] ?? '';
      if (name !== '' && !name.startsWith('type ')) found.push({ module, name });
    }
    if (/^[\w*]/.test(clause)) found.push({ module, name: 'default' });
  }
  for (const [, names = '', module = ''] of source.matchAll(/\{([^{}]*)\}\s*=\s*await import\('([^']+)'\)/g)) {
    for (const part of names.split(',')) found.push({ module, name: part.trim().split(':')[0] ?? '' });
  }
  return found.filter(({ name }) => name !== '');
}

describe('programs of pods', () => {
  test('import nothing that opens a socket of the machine', () => {
    expect(sources.length).toBeGreaterThan(100);
    const wrong: string[] = [];
    for (const path of sources) {
      for (const { module, name } of importedValues(withoutComments(readFileSync(join(root, path), 'utf8')))) {
        const allowed = Object.hasOwn(harmless, module) ? harmless[module] : undefined;
        if (allowed !== undefined && !allowed.includes(name))
          wrong.push(`${relative(root, path)}: ${name} of ${module}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('call neither fetch nor WebSocket, and TLS only over a given stream', () => {
    const wrong: string[] = [];
    for (const path of sources) {
      const source = withoutComments(readFileSync(join(root, path), 'utf8'));
      if (/(?<!\b(?:async|private|function)\s)(?<![.\w])fetch\(|new WebSocket\(/.test(source))
        wrong.push(`${path}: fetch or WebSocket`);
      for (const [call] of source.matchAll(/\btls\.connect\(\{[^}]*\}/g)) {
        if (!/\bsocket\b/.test(call)) wrong.push(`${path}: ${call}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

test('requestOver uses its connection, whatever agent is smuggled in beside it', async () => {
  let reached = false;
  const decoy = createServer(() => {
    reached = true;
  });
  await new Promise<void>((resolve) => decoy.listen(0, '127.0.0.1', resolve));
  const { port } = decoy.address() as { port: number };
  const written: string[] = [];
  const connection = new Duplex({
    // All there is to read is pushed by the write.
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk.toString());
      this.push('HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n');
      this.push(null);
      done();
    },
  });
  const smuggled = { host: '127.0.0.1', port, path: '/', agent: new http.Agent() };
  const status = await new Promise((resolve, reject) => {
    const outgoing = requestOver(connection, smuggled, (response) => resolve(response.statusCode));
    outgoing.once('error', reject);
    outgoing.end();
  });
  expect(status).toBe(204);
  expect(written.join('')).toContain('GET / HTTP/1.1');
  expect(reached).toBe(false);
  decoy.close();
});
