/** Programs as their authors wrote them: well-known servers in one pod, their clients in the other. */
import { describe, expect, it } from 'vitest';
import { bundled, ProgramPods } from './node-program.testkit.ts';

const SLOW_MS = 60_000;

describe('unmodified programs', () => {
  it(
    'express answers fetch',
    async () => {
      const pods = new ProgramPods();
      const server = pods.server(
        await bundled(`
        const express = require('express');
        const app = express();
        app.use(express.json());
        app.get('/hello/:name', (request, response) => response.json({ hello: request.params.name, from: request.ip }));
        app.post('/sum', (request, response) => response.json({ sum: request.body.reduce((a, b) => a + b, 0) }));
        app.listen(3000, () => console.log('express listens'));
      `),
      );
      await server.waitForLog(/express listens/);
      const output = await pods.outputOf(`
      (async () => {
        const hello = await fetch('http://server:3000/hello/world');
        console.log(hello.status, JSON.stringify(await hello.json()));
        const sum = await fetch('http://server:3000/sum', {
          method: 'POST', headers: { 'content-type': 'application/json' }, body: '[1,2,3]' });
        console.log(JSON.stringify(await sum.json()));
      })();
    `);
      expect(output).toContain('200 {"hello":"world","from":"10.244.1.3"}');
      expect(output).toContain('{"sum":6}');
    },
    SLOW_MS,
  );

  it(
    'fastify answers an agent that keeps its connections',
    async () => {
      const pods = new ProgramPods();
      const server = pods.server(
        await bundled(`
        const fastify = require('fastify')();
        fastify.get('/', async (request) => ({ port: request.socket.remotePort }));
        fastify.listen({ port: 3000, host: '0.0.0.0' }).then((address) => console.log('fastify at', address));
      `),
      );
      await server.waitForLog(/fastify at http:\/\/10\.244\.1\.2:3000|fastify at http:\/\/127\.0\.0\.1:3000/);
      const output = await pods.outputOf(`
      const http = require('http');
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      const get = () => new Promise((resolve) => http.get({ host: 'server', port: 3000, agent }, (response) => {
        let text = ''; response.on('data', (part) => { text += part; }).on('end', () => resolve(text)); }));
      (async () => {
        const [first, second] = [await get(), await get()];
        console.log(first === second ? 'one connection' : first + second);
        agent.destroy();
      })();
    `);
      expect(output).toContain('one connection');
    },
    SLOW_MS,
  );

  it.each(['websocket', 'polling'])(
    'socket.io over %s',
    async (transport) => {
      const pods = new ProgramPods();
      const server = pods.server(
        await bundled(`
        const { Server } = require('socket.io');
        const io = new Server(3000);
        io.on('connection', (socket) => socket.on('ask', (text, answer) => answer(text.toUpperCase())));
        console.log('socket.io listens');
      `),
      );
      await server.waitForLog(/socket\.io listens/);
      const output = await pods.outputOf(
        await bundled(`
        const { io } = require('socket.io-client');
        const socket = io('http://server:3000', { transports: ['${transport}'] });
        socket.on('connect_error', (error) => { console.log(error); process.exit(1); });
        socket.emit('ask', 'quiet', (answer) => { console.log('answer', answer); socket.close(); });
      `),
      );
      expect(output).toContain('answer QUIET');
    },
    SLOW_MS,
  );

  it(
    'ioredis speaks to a server of its protocol',
    async () => {
      const pods = new ProgramPods();
      // As much of RESP as the client asks for.
      const server = pods.server(`
      const values = new Map();
      const commands = {
        SET: ([key, value]) => { values.set(key, value); return '+OK\\r\\n'; },
        GET: ([key]) => values.has(key) ? '$' + values.get(key).length + '\\r\\n' + values.get(key) + '\\r\\n' : '$-1\\r\\n',
        INCR: ([key]) => { const next = Number(values.get(key) ?? 0) + 1; values.set(key, String(next)); return ':' + next + '\\r\\n'; },
        INFO: () => '$21\\r\\nredis_version:7.2.0\\r\\n\\r\\n',
        HELLO: () => '%1\\r\\n+server\\r\\n+redis\\r\\n',
        CLIENT: () => '+OK\\r\\n',
        QUIT: () => '+OK\\r\\n',
      };
      require('net').createServer((socket) => {
        let text = '';
        socket.on('data', (data) => {
          text += data;
          for (let match; (match = /^\\*(\\d+)\\r\\n((?:\\$\\d+\\r\\n[^\\r]*\\r\\n)*)/.exec(text)) && (match[2].match(/\\$/g) ?? []).length >= Number(match[1]);) {
            const words = [...match[2].matchAll(/\\$\\d+\\r\\n([^\\r]*)\\r\\n/g)].slice(0, Number(match[1])).map((found) => found[1]);
            text = text.slice(match[0].length);
            socket.write((commands[words[0].toUpperCase()] ?? (() => '-ERR unknown command\\r\\n'))(words.slice(1)));
            if (words[0].toUpperCase() === 'QUIT') socket.end();
          }
        });
      }).listen(6379, () => console.log('redis listens'));
    `);
      await server.waitForLog(/redis listens/);
      const output = await pods.outputOf(
        await bundled(`
        const { Redis } = require('ioredis');
        const redis = new Redis({ host: 'server', maxRetriesPerRequest: 1 });
        (async () => {
          await redis.set('colour', 'blue');
          console.log(await redis.get('colour'), await redis.incr('visits'), await redis.incr('visits'));
          console.log(JSON.stringify(await redis.pipeline().get('colour').incr('visits').exec()));
          await redis.quit();
        })();
      `),
      );
      expect(output).toContain('blue 1 2');
      expect(output).toContain('[[null,"blue"],[null,3]]');
    },
    SLOW_MS,
  );

  it(
    'grpc-js: a call, and a stream of answers',
    async () => {
      const service = `
      const grpc = require('@grpc/grpc-js');
      const json = { serialize: (value) => Buffer.from(JSON.stringify(value)), deserialize: (bytes) => JSON.parse(bytes) };
      const method = (path, responseStream) => ({ path, requestStream: false, responseStream,
        requestSerialize: json.serialize, requestDeserialize: json.deserialize,
        responseSerialize: json.serialize, responseDeserialize: json.deserialize });
      const definition = { double: method('/test.Math/Double', false), count: method('/test.Math/Count', true) };
    `;
      const pods = new ProgramPods();
      const server = pods.server(
        await bundled(`${service}
        const server = new grpc.Server();
        server.addService(definition, {
          double: (call, done) => done(null, call.request * 2),
          count: (call) => { for (let number = 1; number <= call.request; number++) call.write(number); call.end(); },
        });
        server.bindAsync('0.0.0.0:50051', grpc.ServerCredentials.createInsecure(), (error, port) => console.log('grpc at', port, error));
      `),
      );
      await server.waitForLog(/grpc at 50051/);
      const output = await pods.outputOf(
        await bundled(`${service}
        const Client = grpc.makeGenericClientConstructor(definition, 'Math');
        const client = new Client('server:50051', grpc.credentials.createInsecure());
        client.double(21, (error, value) => {
          console.log('double', error, value);
          const numbers = [];
          client.count(5).on('data', (number) => numbers.push(number)).on('end', () => { console.log(numbers.join()); client.close(); });
        });
      `),
      );
      expect(output).toContain('double null 42');
      expect(output).toContain('1,2,3,4,5');
    },
    SLOW_MS,
  );

  it(
    'ws, and the WebSocket that Node brings',
    async () => {
      const pods = new ProgramPods();
      const server = pods.server(
        await bundled(`
        const { WebSocketServer } = require('ws');
        new WebSocketServer({ port: 3000 }, () => console.log('ws listens'))
          .on('connection', (socket) => socket.on('message', (data) => socket.send('echo ' + data)));
      `),
      );
      await server.waitForLog(/ws listens/);
      const output = await pods.outputOf(`
      const socket = new WebSocket('ws://server:3000/');
      socket.onopen = () => socket.send('hello');
      socket.onmessage = ({ data }) => { console.log(data); socket.close(); };
      socket.onerror = (event) => { console.log(event.message); process.exit(1); };
    `);
      expect(output).toContain('echo hello');
    },
    SLOW_MS,
  );
});
