/**
 * The program of a fixed cluster as iptables-save prints it, against a golden file.
 * Remake it after an intended change: UPDATE_GOLDEN=1 npx vitest run proxy/kube-proxy/compile
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Service } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import { describe, expect, it } from 'vitest';
import type { Live } from '../../../../shared/api/live.ts';
import { iptablesSave } from '../../../../shared/rules/iptables-save.ts';
import { applyTransaction, emptyRuleset } from '../../../../shared/rules/ruleset.ts';
import type { RulesTransaction } from '../../../../shared/rules/transaction.ts';
import { type IpFamily, parseAddress, parsePrefix } from '../../../../shared/wire/ip-address.ts';
import { endpointsOfPort, serviceOfSlice } from '../endpoint.ts';
import type { ProxyContext } from '../proxy-context.ts';
import { servicePorts } from '../service-port.ts';
import { serviceChainNames } from './chain-name.ts';
import { IptablesCompiler } from './compiler.ts';

const context: ProxyContext = {
  family: 'ipv4',
  node: { name: 'worker-1', zone: '', address: 0xc0a8010a },
  clusterCidr: { address: 0x0af40000, prefixLength: 16 },
  masqueradeAll: false,
  localhostNodePorts: true,
  serviceCidr: { address: 0x0a600000, prefixLength: 12 },
  scheduler: 'rr',
  sha256: (text) => new Uint8Array(createHash('sha256').update(text).digest()),
};

const ipv6Context: ProxyContext = {
  ...context,
  family: 'ipv6',
  node: { ...context.node, address: parseAddress('fd00:192:168:1::10')! },
  clusterCidr: parsePrefix('fd00:10:244::/56')!,
};

/** fd00:10:244:1::5 for 10.244.1.5, in all texts of an object. */
function inIpv6<T>(object: T): T {
  const text = JSON.stringify(object)
    .replaceAll(
      /(\d+)\.(\d+)\.(\d+)\.(\d+)(\/\d+)?/g,
      (_, a, b, c, d, block) => `fd00:${a}:${b}:${c}::${d}${block ? '/64' : ''}`,
    )
    .replaceAll('"IPv4"', '"IPv6"');
  return JSON.parse(text);
}

type Spec = NonNullable<Service['spec']>;

function service(namespace: string, name: string, spec: Spec, status: Service['status'] = {}): Live<Service> {
  const metadata = { name, namespace, uid: name, creationTimestamp: '2025-01-01T00:00:00Z', resourceVersion: '1' };
  return { metadata, spec, status };
}

interface Backend {
  readonly ip: string;
  readonly node: string;
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
}

function slice(of: Live<Service>, ports: EndpointSlice['ports'], backends: readonly Backend[]): Live<EndpointSlice> {
  const { name, namespace } = of.metadata;
  return {
    addressType: 'IPv4',
    metadata: { ...of.metadata, name: `${name}-x`, namespace, labels: { 'kubernetes.io/service-name': name } },
    ports,
    endpoints: backends.map(({ ip, node, ready = true, serving = ready, terminating = false }) => ({
      addresses: [ip],
      nodeName: node,
      conditions: { ready, serving, terminating },
    })),
  };
}

const dns = service('kube-system', 'kube-dns', {
  clusterIP: '10.96.0.10',
  ports: [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'dns-tcp', port: 53, protocol: 'TCP' },
    { name: 'metrics', port: 9153, protocol: 'TCP' },
  ],
});
const api = service('default', 'kubernetes', { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443 }] });
const web = service('default', 'web', {
  clusterIP: '10.96.10.10',
  type: 'NodePort',
  ports: [{ port: 80, nodePort: 30080, targetPort: 8080 }],
});
const sticky = service('default', 'sticky', {
  clusterIP: '10.96.10.11',
  sessionAffinity: 'ClientIP',
  sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } },
  ports: [{ name: 'http', port: 80 }],
});
const empty = service('default', 'empty', {
  clusterIP: '10.96.10.12',
  type: 'NodePort',
  ports: [{ port: 80, nodePort: 30081 }],
});
const local = service('default', 'local', {
  clusterIP: '10.96.10.13',
  type: 'NodePort',
  externalTrafficPolicy: 'Local',
  internalTrafficPolicy: 'Local',
  ports: [{ port: 80, nodePort: 30082 }],
});
const balanced = service(
  'default',
  'balanced',
  {
    clusterIP: '10.96.10.14',
    type: 'LoadBalancer',
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: 31000,
    externalIPs: ['203.0.113.7'],
    loadBalancerSourceRanges: ['192.168.1.0/24', '198.51.100.0/24'],
    ports: [{ name: 'http', port: 80, nodePort: 30083 }],
  },
  { loadBalancer: { ingress: [{ ip: '172.18.255.200' }] } },
);
const services = [dns, api, web, sticky, empty, local, balanced];

const slices = new Map<Live<Service>, Live<EndpointSlice>[]>([
  [
    dns,
    [
      slice(
        dns,
        [
          { name: 'dns', port: 53, protocol: 'UDP' },
          { name: 'dns-tcp', port: 53, protocol: 'TCP' },
          { name: 'metrics', port: 9153, protocol: 'TCP' },
        ],
        [
          { ip: '10.244.1.2', node: 'worker-1' },
          { ip: '10.244.2.2', node: 'worker-2' },
        ],
      ),
    ],
  ],
  [api, [slice(api, [{ name: 'https', port: 6443 }], [{ ip: '192.168.1.1', node: '' }])]],
  [
    web,
    [
      slice(
        web,
        [{ name: '', port: 8080 }],
        [
          { ip: '10.244.1.3', node: 'worker-1' },
          { ip: '10.244.2.3', node: 'worker-2' },
          { ip: '10.244.3.3', node: 'worker-3' },
          { ip: '10.244.3.4', node: 'worker-3', ready: false },
        ],
      ),
    ],
  ],
  [
    sticky,
    [
      slice(
        sticky,
        [{ name: 'http', port: 8080 }],
        [
          { ip: '10.244.1.4', node: 'worker-1' },
          { ip: '10.244.2.4', node: 'worker-2' },
        ],
      ),
    ],
  ],
  [local, [slice(local, [{ name: '', port: 8080 }], [{ ip: '10.244.2.5', node: 'worker-2' }])]],
  [
    balanced,
    [
      slice(
        balanced,
        [{ name: 'http', port: 8080 }],
        [
          { ip: '10.244.1.6', node: 'worker-1', ready: false, serving: true, terminating: true },
          { ip: '10.244.2.6', node: 'worker-2' },
        ],
      ),
    ],
  ],
]);

function feed(
  compiler: IptablesCompiler,
  of: Live<Service>,
  its = slices.get(of) ?? [],
  family: IpFamily = 'ipv4',
): void {
  compiler.update({
    key: `${of.metadata.namespace}/${of.metadata.name}`,
    ports: servicePorts(of, family).map((port) => ({
      port,
      endpoints: endpointsOfPort(its, port.portName, port.protocol),
    })),
  });
}

function compileAll(): IptablesCompiler {
  const compiler = new IptablesCompiler(context);
  for (const one of services) feed(compiler, one);
  return compiler;
}

function fullTables(compiler: IptablesCompiler): RulesTransaction['tables'] {
  const step = compiler.step(true)!;
  step.applied();
  return step.part.tables;
}

function install(compiler: IptablesCompiler): ReturnType<typeof applyTransaction> {
  const tables = fullTables(compiler);
  return applyTransaction(emptyRuleset('boot'), { owner: 'kube-proxy', bootId: 'boot', base: null, tables });
}

describe('iptables program', () => {
  it.each([
    [dns, 0, 'KUBE-SVC-TCOU7JCQXEZGVUNU'],
    [dns, 1, 'KUBE-SVC-ERIFXISQEP7F7OF4'],
    [dns, 2, 'KUBE-SVC-JD5MR3NA4I4DYORP'],
    [api, 0, 'KUBE-SVC-NPX46M4PTMTKRN6Y'],
  ] as const)('names chains as every real cluster has them (%#)', (of, index, name) => {
    expect(serviceChainNames(servicePorts(of, 'ipv4')[index]!, context.sha256).cluster).toBe(name);
  });

  it('matches the golden dump, and the node accepts it', () => {
    const { ruleset, reply } = install(compileAll());
    expect(reply).toMatchObject({ kind: 'applied' });
    const path = join(import.meta.dirname, 'program.golden.txt');
    const dump = iptablesSave(ruleset);
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, dump);
    expect(dump).toBe(readFileSync(path, 'utf8'));
  });

  it('of the same cluster with IPv6 matches its golden dump', () => {
    const compiler = new IptablesCompiler(ipv6Context);
    for (const one of services) feed(compiler, inIpv6(one), inIpv6(slices.get(one) ?? []), 'ipv6');
    const { ruleset, reply } = install(compiler);
    expect(reply).toMatchObject({ kind: 'applied' });
    const path = join(import.meta.dirname, 'program-ipv6.golden.txt');
    const dump = iptablesSave(ruleset, { family: 'ipv6' });
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, dump);
    expect(dump).toBe(readFileSync(path, 'utf8'));
  });

  it('of one family takes nothing of the other', () => {
    const compiler = new IptablesCompiler(ipv6Context);
    for (const one of services) feed(compiler, one, slices.get(one), 'ipv6');
    expect(fullTables(compiler)).toEqual(fullTables(new IptablesCompiler(ipv6Context)));
    expect(serviceOfSlice(inIpv6(slices.get(dns) ?? [])[0]!, 'ipv4')).toBeUndefined();
  });

  it('sends nothing when nothing changed, and only the chains of a changed endpoint', () => {
    const compiler = compileAll();
    install(compiler);
    feed(compiler, web);
    expect(compiler.step(false)).toBeUndefined();
    const grown = slice(
      web,
      [{ name: '', port: 8080 }],
      [
        { ip: '10.244.1.3', node: 'worker-1' },
        { ip: '10.244.2.9', node: 'worker-2' },
        { ip: '10.244.3.3', node: 'worker-3' },
      ],
    );
    feed(compiler, web, [grown]);
    const { tables } = compiler.step(false)!.part;
    expect(tables.filter).toBeUndefined();
    expect(Object.keys(tables.nat?.set ?? {}).map((name) => name.slice(0, 9))).toEqual(['KUBE-SVC-', 'KUBE-SEP-']);
    expect(tables.nat?.delete).toHaveLength(1);
  });

  it('gives the same tables by steps as at once', () => {
    const compiler = new IptablesCompiler(context);
    let { ruleset } = install(compiler);
    let generation = 1;
    const take = (): void => {
      const step = compiler.step(false)!;
      const { tables } = step.part;
      const applied = applyTransaction(ruleset, { owner: 'kube-proxy', bootId: 'boot', base: generation++, tables });
      expect(applied.reply).toMatchObject({ kind: 'applied' });
      step.applied();
      ruleset = applied.ruleset;
    };
    for (const one of services) {
      feed(compiler, one);
      take();
    }
    const atOnce = compileAll();
    expect(iptablesSave(ruleset)).toBe(iptablesSave(install(atOnce).ruleset));
    expect(compiler.ruleCounts()).toEqual(atOnce.ruleCounts());
    for (const one of services) {
      compiler.update({ key: `${one.metadata.namespace}/${one.metadata.name}`, ports: [] });
      take();
    }
    expect(iptablesSave(ruleset)).toBe(iptablesSave(install(new IptablesCompiler(context)).ruleset));
  });
});
