/** What a Node program finds in its pod: network, names, files, processes; and what it does not find. */
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { waitFor } from '../../../test/wait-for.ts';
import { certificateVolume } from '../catalogue/certificate.testkit.ts';
import { startImage } from '../catalogue/pods.testkit.ts';
import { emptyVolume } from '../files/volume.ts';
import { isolation } from './isolation.ts';
import { bundled, ProgramPods } from './node-program.testkit.ts';

const SLOW_MS = 60_000;

describe('the network', () => {
  it(
    'is the pod: ports are known at once, shared by its containers, and localhost is its own',
    async () => {
      const pods = new ProgramPods();
      const first = pods.server(`
      const server = require('net').createServer((socket) => socket.end('mine')).listen(0);
      console.log('free port', server.address().port > 0);
      require('http').createServer((_, response) => response.end('of the pod')).listen(8080, () => console.log('listens'));
    `);
      await first.waitForLog(/free port true[\s\S]*listens/);
      const second = pods.server(`
      require('net').createServer().on('error', (error) => console.log(error.message)).listen(8080, () => console.log('two'));
      (async () => {
        for (const host of ['localhost', '127.0.0.1', 'server']) console.log(host, await (await fetch('http://' + host + ':8080')).text());
        console.log(require('os').hostname(), require('os').networkInterfaces().eth0[0].cidr);
      })();
    `);
      expect((await second.container.ended).exitCode).toBe(0);
      expect(second.log().trim().split('\n').sort()).toEqual([
        '127.0.0.1 of the pod',
        expect.stringMatching(/^listen EADDRINUSE: address already in use (::|0\.0\.0\.0):8080$/),
        'localhost of the pod',
        'server 10.244.1.2/24',
        'server of the pod',
      ]);
    },
    SLOW_MS,
  );

  it(
    'of IPv4 alone hears it on the wildcard of both families',
    async () => {
      const output = await new ProgramPods().outputOf(`
      const listen = (options) => new Promise((resolve) => {
        const server = require('net').createServer((socket) => socket.end('heard'));
        server.on('error', (error) => resolve(error.code)).listen(options, () => {
          require('net').connect(server.address().port, '127.0.0.1').on('data', (data) => resolve(String(data)));
        });
        server.unref();
      });
      (async () => {
        for (const options of [{ port: 0, host: '::' }, { port: 0, host: '::', ipv6Only: true }, { port: 0, host: 'fd00::1' }]) console.log(await listen(options));
        process.exit();
      })();
      `);
      expect(output.trim().split('\n')).toEqual(['heard', 'EAFNOSUPPORT', 'EAFNOSUPPORT']);
    },
    SLOW_MS,
  );

  it(
    'carries TLS, HTTPS and HTTP/2, with and without encryption',
    async () => {
      const pods = new ProgramPods();
      const mounts = [{ path: '/tls', volume: certificateVolume('server'), readOnly: true }];
      const server = pods.server(
        `
      const fs = require('fs');
      const options = { key: fs.readFileSync('/tls/tls.key'), cert: fs.readFileSync('/tls/tls.crt') };
      const answer = (stream) => { stream.respond({ ':status': 200 }); stream.end('over h2'); };
      require('https').createServer(options, (_, response) => response.end('over https')).listen(443);
      require('http2').createSecureServer(options).on('stream', answer).listen(8443);
      require('http2').createServer().on('stream', answer).listen(8080, () => console.log('ready'));
      `,
        { mounts },
      );
      await server.waitForLog(/ready/);
      const output = await pods.outputOf(
        `
      const ca = require('fs').readFileSync('/tls/tls.crt');
      const [https, http2, net, tls] = ['https', 'http2', 'net', 'tls'].map(require);
      const text = (stream) => new Promise((resolve, reject) => { let all = ''; stream.setEncoding('utf8');
        stream.on('data', (part) => { all += part; }).on('end', () => resolve(all)).on('error', reject); });
      const h2 = async (authority) => { const session = http2.connect(authority, { ca });
        console.log(authority, await text(session.request({ ':path': '/' }).end())); session.close(); };
      (async () => {
        console.log('https', await new Promise((resolve) => https.get('https://server', { ca }, (response) => resolve(text(response)))));
        await h2('https://server:8443');
        await h2('http://server:8080');
        let peer;
        const plain = net.connect(443, 'server');
        const secure = tls.connect({ socket: plain, ca, servername: 'server' }, () => { peer = secure.remoteAddress; secure.write('GET / HTTP/1.1\\r\\nHost: server\\r\\nConnection: close\\r\\n\\r\\n'); });
        console.log('socket', /over https/.test(await text(secure)), plain instanceof net.Socket, secure.authorized, peer);
      })();
      `,
        { mounts },
      );
      expect(output.trim().split('\n')).toEqual([
        'https over https',
        'https://server:8443 over h2',
        'http://server:8080 over h2',
        'socket true true true 10.244.1.2',
      ]);
    },
    SLOW_MS,
  );

  it(
    'resolves names by the pod, whatever function is asked',
    async () => {
      const pods = new ProgramPods();
      const server = pods.server(
        await bundled(`
        const packet = require('dns-packet');
        const records = {
          A: [{ type: 'A', data: '10.9.9.9' }], TXT: [{ type: 'TXT', data: ['a', 'b'] }],
          SRV: [{ type: 'SRV', data: { target: 'there.example', port: 5, priority: 1, weight: 2 } }],
          MX: [{ type: 'MX', data: { exchange: 'mail.example', preference: 7 } }], PTR: [{ type: 'PTR', data: 'back.example' }],
        };
        const socket = require('dgram').createSocket('udp4');
        socket.on('message', (data, from) => {
          const { id, questions: [{ name, type }] } = packet.decode(data);
          const known = name !== 'absent.example';
          const answers = known ? (records[type] ?? []).map((record) => ({ name, ttl: 30, ...record })) : [];
          socket.send(packet.encode({ type: 'response', id, flags: known ? 0 : 3, questions: [{ name, type }], answers }), from.port, from.address);
        });
        socket.bind(53, () => console.log('dns at', socket.address().address, socket.address().port));
      `),
      );
      await server.waitForLog(/dns at 0\.0\.0\.0 53/);
      const output = await pods.outputOf(`
      const dns = require('dns'), { lookup } = require('dns/promises');
      const show = (label, call) => call.then((value) => console.log(label, JSON.stringify(value)), (error) => console.log(label, error.message));
      (async () => {
        await show('hosts', lookup('server'));
        await show('callback', new Promise((resolve) => dns.lookup('other.example', { all: true }, (error, all) => resolve(all))));
        await show('absent', lookup('absent.example'));
        await show('a', dns.promises.resolve4('other.example', { ttl: true }));
        await show('aaaa', dns.promises.resolve6('other.example'));
        await show('srv', dns.promises.resolveSrv('other.example'));
        await show('mx', dns.promises.resolveMx('other.example'));
        await show('txt', dns.promises.resolveTxt('other.example'));
        await show('reverse', dns.promises.reverse('10.9.9.9'));
        await show('servers', Promise.resolve(dns.getServers()));
        const resolver = new dns.promises.Resolver(); resolver.setServers(['10.244.1.2']);
        await show('resolver', resolver.resolve('absent.example'));
      })();
    `);
      expect(output.trim().split('\n')).toEqual([
        'hosts {"address":"10.244.1.2","family":4}',
        'callback [{"address":"10.9.9.9","family":4}]',
        'absent getaddrinfo ENOTFOUND absent.example',
        'a [{"address":"10.9.9.9","ttl":30}]',
        'aaaa queryAaaa ENODATA other.example',
        'srv [{"name":"there.example","port":5,"priority":1,"weight":2}]',
        'mx [{"exchange":"mail.example","priority":7}]',
        'txt [["a","b"]]',
        'reverse ["back.example"]',
        'servers ["10.244.1.2"]',
        'resolver queryA ENOTFOUND absent.example',
      ]);
    },
    SLOW_MS,
  );

  it(
    'keeps asynchronous contexts, and a thrown error is an uncaught exception',
    async () => {
      const pods = new ProgramPods();
      const server = pods.server(`
      require('net').createServer((socket) => socket.pipe(socket)).listen(7, () => console.log('ready'));
    `);
      await server.waitForLog(/ready/);
      const output = await pods.outputOf(`
      const storage = new (require('async_hooks').AsyncLocalStorage)();
      process.on('uncaughtException', (error) => console.log('uncaught', error.message));
      storage.run('request 1', () => {
        const socket = require('net').connect(7, 'server', () => { console.log('connect', storage.getStore()); socket.write('x'); });
        let seen = 0;
        socket.on('data', () => {
          console.log('data', storage.getStore());
          if (++seen === 1) { socket.write('y'); throw new Error('mine'); }
          socket.end();
        });
      });
    `);
      expect(output.trim().split('\n')).toEqual([
        'connect request 1',
        'data request 1',
        'uncaught mine',
        'data request 1',
      ]);
    },
    SLOW_MS,
  );

  it(
    'is that of its children and threads too',
    async () => {
      const pods = new ProgramPods();
      const server = pods.server(`
      require('http').createServer((request, response) => response.end(request.socket.remoteAddress)).listen(80, () => console.log('ready'));
    `);
      await server.waitForLog(/ready/);
      const child = `fetch('http://server').then((answer) => answer.text()).then((text) => console.log(process.argv[2] ?? 'thread', text));`;
      const output = await pods.outputOf(
        `
      const { fork, execFileSync } = require('child_process'), { Worker } = require('worker_threads');
      const ended = (thing) => new Promise((resolve) => thing.once('exit', resolve));
      (async () => {
        await ended(fork('/app/child.js', ['forked']));
        await ended(new Worker('/app/child.js'));
        await ended(new Worker('/app/child.js', { execArgv: [] }));
        process.stdout.write(execFileSync('node', ['/app/child.js', 'executed'], { env: {} }));
      })();
      `,
        { files: { 'child.js': child } },
      );
      expect(output.trim().split('\n')).toEqual([
        'forked 10.244.1.3',
        'thread 10.244.1.3',
        'thread 10.244.1.3',
        'executed 10.244.1.3',
      ]);
    },
    SLOW_MS,
  );
});

describe('the machine', () => {
  it(
    'is out of reach: other programs, native code, the inspector',
    async () => {
      const listener = createServer((socket) => socket.end('leaked')).listen(0, '127.0.0.1');
      await waitFor('the listener', () => listener.listening);
      const address = listener.address();
      const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
      const pods = new ProgramPods();
      // koffi is a native addon that calls any function of the C library.
      const output = await pods.outputOf(
        `
      require('net').connect(${port}, '127.0.0.1').on('data', String).on('error', (error) => console.log('net', error.code));
      require('child_process').spawn('curl', ['http://127.0.0.1:${port}']).on('error', (error) => console.log(error.message));
      try { require('inspector').open(0); } catch (error) { console.log('inspector', error.message.slice(0, 7)); }
      try {
        const koffi = { exports: {} };
        process.dlopen(koffi, process.env.ADDON);
        const libc = koffi.exports.load(null);
        const [socket, connect] = [libc.func('int socket(int, int, int)'), libc.func('int connect(int, void *, int)')];
        const to = Buffer.alloc(16); to.writeUInt16LE(2, 0); to.writeUInt16BE(${port}, 2); to.set([127, 0, 0, 1], 4);
        console.log('native', connect(socket(2, 1, 0), to, 16));
      } catch (error) { console.log('native', error.code, error.message); }
      `,
        { environment: { ADDON: addonPath() } },
      );
      listener.close();
      expect(output).toContain('net ECONNREFUSED');
      expect(output).toContain('spawn curl ENOENT');
      expect(output).toContain('podwire: curl cannot be started');
      expect(output).toContain('inspector podwire');
      const refused = 'native ERR_DLOPEN_DISABLED podwire: native addons are refused';
      expect(output).toContain((await isolation()).isolated ? 'native -1' : refused);
      const inspected = pods.client('', { environment: { NODE_OPTIONS: '--inspect=0' } });
      expect((await inspected.container.ended).exitCode).toBe(9);
    },
    SLOW_MS,
  );
});

describe('a container', () => {
  it(
    'has its files: read-only configuration, an emptyDir that is shared, a working directory',
    async () => {
      const pods = new ProgramPods();
      const shared = emptyVolume();
      const mounts = [{ path: '/data', volume: shared }];
      const program = pods.server(
        `
      const fs = require('fs'), path = require('path');
      console.log(fs.readFileSync(path.join(__dirname, 'settings.json'), 'utf8'), require('/app/settings.json').colour);
      console.log(process.cwd(), process.argv[1], fs.readdirSync('/app').filter((name) => !name.startsWith('..')).join());
      fs.writeFileSync('/data/from-node', 'hello'); fs.mkdirSync('/tmp/made', { recursive: true });
      setInterval(() => {
        // The shell makes it first, and fills it then.
        if (!fs.existsSync('/data/from-shell') || fs.statSync('/data/from-shell').size === 0) return;
        console.log('heard', fs.readFileSync('/data/from-shell', 'utf8'));
        process.exit(4);
      }, 20);
      `,
        { mounts, files: { 'settings.json': '{"colour":"blue"}' } },
      );
      const neighbour = startImage('busybox', { command: ['sleep', '1000'], mounts });
      await waitFor('the file', async () => (await neighbour.sh('cat /data/from-node')).stdout === 'hello');
      expect((await program.sh('cat /data/from-node; ls -d /tmp/made; node -p "process.cwd()"')).stdout).toBe(
        'hello/tmp/made\n/\n',
      );
      await neighbour.sh('printf news >/data/from-shell');
      expect((await program.container.ended).exitCode).toBe(4);
      expect(program.log().trim().split('\n')).toEqual([
        '{"colour":"blue"} blue',
        '/ /app/main.js main.js,settings.json',
        'heard news',
      ]);
    },
    SLOW_MS,
  );

  it(
    'passes on environment, arguments, signals and exit codes',
    async () => {
      const pods = new ProgramPods();
      const program = pods.server(
        `
      console.log(process.env.COLOUR, process.argv.slice(2).join(), String(process.env.NODE_OPTIONS));
      process.on('SIGTERM', () => { console.error('bye'); process.exit(3); });
      setInterval(() => undefined, 1000);
      `,
        { environment: { COLOUR: 'blue' }, args: ['a', 'b c'] },
      );
      await program.waitForLog(/blue a,b c undefined/);
      expect(await program.run(['node', '-e', 'process.exit(7)'])).toMatchObject({ code: 7 });
      expect(await program.run(['node'], 'console.log(6 * 7)')).toMatchObject({ stdout: '42\n', code: 0 });
      program.container.signal('SIGTERM');
      expect((await program.container.ended).exitCode).toBe(3);
      expect(program.log()).toContain('bye');
      const killed = pods.server('process.kill(process.pid, "SIGKILL")');
      expect(await killed.container.ended).toEqual({ exitCode: 137, signal: 9 });
      const broken = pods.server('null.x');
      expect((await broken.container.ended).exitCode).toBe(1);
      expect(broken.log()).toContain('TypeError');
    },
    SLOW_MS,
  );

  it(
    'runs modules from its working directory',
    async () => {
      const pods = new ProgramPods();
      const files = {
        'lib.mjs': 'export const x = 5;',
        'program.mjs': `
        import { connect } from 'node:net';
        import os from 'node:os';
        import { x } from './lib.mjs';
        connect(9, '127.0.0.1').on('error', (error) => console.log(x, error.code, os.hostname(), process.cwd()));
      `,
      };
      const program = pods.server('setInterval(() => undefined, 1000)', { files });
      const { stdout } = await program.sh('cd /app && node program.mjs');
      expect(stdout).toBe('5 ECONNREFUSED server /app\n');
    },
    SLOW_MS,
  );
});

function addonPath(): string {
  const machine = `${process.platform}-${process.arch}`;
  const folder = `../../../node_modules/@koromix/koffi-${machine}/${machine.replace('-', '_')}`;
  return new URL(`${folder}/koffi.node`, import.meta.url).pathname;
}
