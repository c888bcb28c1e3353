/** Who has a socket open, seen from its container, from another one of its pod, and from the node. */
import { expect, it } from 'vitest';
import { waitFor } from '../../test/wait-for.ts';
import { listening } from '../images/catalogue/http-client.testkit.ts';
import { CLIENT, SERVER, startImage, testPods } from '../images/catalogue/pods.testkit.ts';
import { ProgramPods } from '../images/node-program/node-program.testkit.ts';
import { podKernelView } from './kernel-view.ts';

const words = (command: string) => command.split(' ');

it('ss -p and netstat -p name the processes that one can see', async () => {
  const pods = testPods();
  const kernel = podKernelView(pods.leftHost);
  const server = startImage('nginx', { network: pods.left, kernel });
  await listening(pods.right, SERVER, 80);
  const [, process] = /users:\(\(("nginx",pid=\d+,fd=\d+)\)\)/.exec((await server.run(words('ss -tlnp'))).stdout) ?? [];
  expect(process).toMatch(/^"nginx",pid=\d+,fd=\d+$/);
  expect((await server.run(words('netstat -tlnp'))).stdout).toMatch(/LISTEN +\d+\/nginx\n/);
  expect((await server.run(words('ss -tln'))).stdout).not.toContain('users:');

  const other = startImage('busybox', { network: pods.left, kernel, command: words('nc -lk -p 9000') });
  await listening(pods.right, SERVER, 9000);
  const ofOther = (await other.run(words('netstat -tlnp'))).stdout;
  expect(ofOther).toMatch(/:9000 .*LISTEN +1\/nc\n/);
  expect(ofOther).toMatch(/:80 .*LISTEN +-\n/);

  const node = podKernelView(pods.leftHost, { processes: 'all' }).run(words('ss -tlnp')).stdout;
  expect(node).toMatch(/:80 .*users:\(\("nginx",pid=\d+,fd=3\)\)/);
  expect(node).toMatch(/:9000 .*users:\(\("nc",pid=\d+,fd=\d+\)\)/);
});

it('a connection is its program’s until that closes it, whatever becomes of it then', async () => {
  const pods = testPods();
  const kernel = podKernelView(pods.leftHost);
  const server = startImage('nginx', { network: pods.left, kernel });
  await listening(pods.right, SERVER, 80);
  const socket = await pods.right.connectTcp({ host: SERVER, port: 80 });
  const connections = async () => (await server.run(words(`ss -tanp dst ${CLIENT}`))).stdout;
  await waitFor('nginx to accept', async () => /ESTAB.*users:\(\("nginx",pid=\d+,fd=\d+\)\)/.test(await connections()));
  socket.destroy();
  await waitFor('nginx to close it', async () => !(await connections()).includes('users:'));
});

it('programs of Node have their own sockets too', async () => {
  const programs = new ProgramPods();
  const listen = (port: number) => `require('net').createServer().listen(${port}, () => console.log('listens'));`;
  const first = programs.server(listen(7001));
  const second = programs.server(listen(7002));
  await Promise.all([first.waitForLog(/listens/), second.waitForLog(/listens/)]);
  const { stdout } = podKernelView(programs.pods.leftHost, { processes: 'all' }).run(words('ss -tlnp'));
  const pids = [7001, 7002].map(
    (port) => new RegExp(`:${port} .*users:\\(\\("node",pid=(\\d+),fd=3\\)\\)`).exec(stdout)?.[1],
  );
  expect(pids).toEqual([expect.any(String), expect.any(String)]);
  expect(new Set(pids).size).toBe(2);
}, 60_000);
