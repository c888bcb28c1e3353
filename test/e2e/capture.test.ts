/**
 * What is on the wire, read by tshark from the loopback device while requests cross nodes: VXLAN whose inner packets are
 * whole and have good checksums, the translation done before the tunnel, and nothing of the pods on NATS.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';
import { run } from './run-command.ts';
import { captureLacks, captureLoopback } from './wire-capture.ts';

const MANIFEST = resolve(import.meta.dirname, '../../labs/first-steps/web.yaml');
const REQUEST_LINE = 'GET /hostname HTTP/1.1';
const REQUESTS = 12;

const cluster = (await mayCapture()) ? await TestCluster.start({ arguments: ['--io-batches', 'off'] }) : undefined;
const folder = mkdtempSync(join(tmpdir(), 'pw-capture-'));

async function mayCapture(): Promise<boolean> {
  const lacks = await captureLacks();
  if (lacks !== undefined) console.warn(`test/e2e/capture skipped: ${lacks}`);
  return lacks === undefined;
}

describe.skipIf(cluster === undefined)('packets between nodes', () => {
  const overlay = join(folder, 'overlay.pcapng');
  const bus = join(folder, 'nats.pcapng');

  /** Rows of fields of the packets that fit a display filter. */
  async function decode(filter: string, ...fields: string[]): Promise<string[][]> {
    const checks = ['ip.check_checksum:TRUE', 'tcp.check_checksum:TRUE', 'udp.check_checksum:TRUE'].flatMap(
      (option) => ['-o', option],
    );
    const columns = fields.flatMap((field) => ['-e', field]);
    const { code, stdout, stderr } = await run('tshark', [
      ...['-r', overlay, '-d', 'udp.port==4789,vxlan', ...checks],
      // The last occurrence of a field is the inner packet's.
      ...['-Y', filter, '-T', 'fields', '-E', 'occurrence=l', ...columns],
    ]);
    expect(code, stderr).toBe(0);
    return stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('\t'));
  }

  beforeAll(async () => {
    await cluster!.kubectlOut(['apply', '-f', MANIFEST]);
    await cluster!.kubectlOut(['rollout', 'status', 'deployment/backend', '--timeout=120s']);
    await cluster!.kubectlOut(['rollout', 'status', 'deployment/frontend', '--timeout=120s']);
    const status = JSON.parse((await cluster!.podwire(['status', '-o', 'json'])).stdout) as {
      natsUrl: string;
      nodes: { endpoint: string }[];
    };
    const hosts = status.nodes.map(({ endpoint }) => `host ${endpoint.split(':')[0]}`);
    const stops = await Promise.all([
      captureLoopback(`udp port 4789 and (${hosts.join(' or ')})`, overlay),
      captureLoopback(`tcp port ${new URL(status.natsUrl).port}`, bus),
    ]);
    const onFrontend = (script: string) => cluster!.kubectlOut(['exec', 'deploy/frontend', '--', 'sh', '-c', script]);
    const answers = await onFrontend(`for i in $(seq ${REQUESTS}); do curl -s http://backend/hostname; echo; done`);
    expect(new Set(answers.trim().split('\n')).size).toBeGreaterThan(1);
    // The kernel hands packets over in blocks: what is in the last one when the capture ends would be lost.
    const last = `GET /echo?msg=last HTTP/1.1`;
    await waitFor('a request behind them in the capture', async () => {
      await onFrontend('curl -s http://backend/echo?msg=last');
      return readFileSync(overlay).includes(last);
    });
    expect(readFileSync(overlay).includes(REQUEST_LINE)).toBe(true);
    await waitFor('the exec stream in the capture of NATS', () => readFileSync(bus).includes(answers.split('\n')[0]!));
    await Promise.all(stops.map((stop) => stop()));
  });

  afterAll(async () => {
    await cluster!.down();
    rmSync(folder, { recursive: true, force: true });
  });

  it('are VXLAN datagrams that decode whole, with good checksums inside', async () => {
    expect((await decode('vxlan', 'frame.number')).length).toBeGreaterThan(REQUESTS);
    expect(await decode('not vxlan', 'frame.number')).toEqual([]);
    expect(await decode('_ws.malformed', 'frame.number')).toEqual([]);
    expect(await decode('vxlan && ip.checksum.status == "Bad"', 'frame.number')).toEqual([]);
    expect(await decode('tcp.checksum.status == "Bad"', 'frame.number')).toEqual([]);
    const tcp = await decode('tcp', 'tcp.checksum.status');
    expect(tcp.length).toBeGreaterThan(0);
    expect(new Set(tcp.flat())).toEqual(new Set(['1']));
    const dns = await decode('dns', 'udp.checksum.status');
    expect(new Set(dns.flat())).toEqual(new Set(['1']));
  });

  it('carry requests to the addresses of pods, not of Services', async () => {
    const backends = (
      await cluster!.kubectlOut(['get', 'pods', '-l', 'app=backend', '-o', 'jsonpath={.items[*].status.podIP}'])
    ).split(' ');
    const opened = await decode('tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.dstport == 8080', 'ip.dst');
    expect(opened.length).toBeGreaterThan(0);
    expect(opened.flat().filter((address) => !backends.includes(address))).toEqual([]);
    const requests = await decode('http.request', 'http.request.method', 'http.request.uri');
    expect(requests).toContainEqual(['GET', '/hostname']);
    expect(await decode('ip.dst == 10.96.0.0/12 || ip.src == 10.96.0.0/12', 'frame.number')).toEqual([]);
  });

  it('carry the DNS query to a CoreDNS pod, and its answer', async () => {
    const servers = (
      await cluster!.kubectlOut([
        'get',
        'pods',
        '-n',
        'kube-system',
        '-l',
        'k8s-app=kube-dns',
        '-o',
        'jsonpath={.items[*].status.podIP}',
      ])
    ).split(' ');
    const queries = await decode(
      'dns.flags.response == 0 && dns.qry.name == "backend.default.svc.cluster.local"',
      'ip.dst',
    );
    expect(queries.length).toBeGreaterThan(0);
    expect(queries.flat().filter((address) => !servers.includes(address))).toEqual([]);
    expect((await decode('dns.flags.response == 1 && dns.a', 'dns.a')).length).toBeGreaterThan(0);
  });

  it('never go over NATS', () => {
    expect(readFileSync(overlay).includes(REQUEST_LINE)).toBe(true);
    const onNats = readFileSync(bus);
    expect(onNats.length).toBeGreaterThan(0);
    expect(onNats.includes(REQUEST_LINE)).toBe(false);
  });
});
