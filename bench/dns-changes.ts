/**
 * How soon a change of a Service is seen in DNS: Services are made and deleted at a steady rate, for longer than the API server takes
 * from one look at all addresses to the next, each asked for every millisecond until the answer is the new one.
 */
import { HostNetwork } from '../dns/host-network.ts';
import { queryDns } from '../shared/podnet/dns-query.ts';
import { type ApiLoad, atRate, quantile } from './api-load.ts';
import type { FigureInput } from './figure.ts';

export const CHANGE_SECONDS = 75;
const CHANGES_A_SECOND = 10;
const POLL_MS = 1;
const LIMIT_MS = 10_000;
const SERVICES_PATH = '/api/v1/namespaces/default/services';

export interface Changes {
  readonly appearedMs: number[];
  readonly vanishedMs: number[];
}

export function makeService(api: ApiLoad, name: string): Promise<Buffer> {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  };
  return api.call('POST', SERVICES_PATH, JSON.stringify(service));
}

/** From the request that makes, or deletes, a Service to the first answer that says so. */
export async function measureChanges(api: ApiLoad, port: number): Promise<Changes> {
  const changes: Changes = { appearedMs: [], vanishedMs: [] };
  // Every second change deletes the Service of the one before.
  await atRate((CHANGE_SECONDS * CHANGES_A_SECOND) / 2, CHANGES_A_SECOND / 2, async (index) => {
    const name = `new-${index}`;
    changes.appearedMs.push(await seen(port, name, 'NOERROR', makeService(api, name)));
    changes.vanishedMs.push(await seen(port, name, 'NXDOMAIN', api.call('DELETE', `${SERVICES_PATH}/${name}`)));
  });
  return changes;
}

async function seen(port: number, name: string, rcode: string, change: Promise<unknown>): Promise<number> {
  const network = new HostNetwork('127.0.0.1');
  const beganMs = performance.now();
  const question = { server: '127.0.0.1', port, name: `${name}.default.svc.cluster.local`, type: 'A' } as const;
  while ((await queryDns(network, { ...question, timeoutMs: LIMIT_MS })).packet.rcode !== rcode) {
    if (performance.now() - beganMs > LIMIT_MS) throw new Error(`${name} is not ${rcode} after ${LIMIT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const tookMs = performance.now() - beganMs;
  await change;
  return tookMs;
}

export function figuresOfChanges({ appearedMs, vanishedMs }: Changes): Record<string, FigureInput> {
  const all = [...appearedMs, ...vanishedMs];
  const figure = (label: string, value: number): FigureInput => ({ label, unit: 'ms', samples: [value] });
  return {
    change: {
      ...figure(`request for a change to its answer, p99 of ${all.length} in ${CHANGE_SECONDS} s`, quantile(all, 0.99)),
      goal: { compare: '<=', bound: 100, of: 'value' },
    },
    changeP50: figure('  p50', quantile(all, 0.5)),
    changeMax: figure('  the slowest', quantile(all, 1)),
    appeared: figure('  of new Services, p99', quantile(appearedMs, 0.99)),
    vanished: figure('  of deleted ones, p99', quantile(vanishedMs, 0.99)),
  };
}
