import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { RulesReply, RulesTransaction } from '../../../shared/rules/transaction.ts';
import { parseIpv4, parseIpv4Prefix } from '../../../shared/wire/address.ts';
import { endpointsOfPort } from '../compile/endpoint.ts';
import { IptablesCompiler } from '../compile/iptables/compiler.ts';
import type { ProxyContext } from '../compile/proxy-context.ts';
import { servicePorts } from '../compile/service-port.ts';
import type { ServiceState } from '../compile/service-state.ts';
import { RulesProxier } from './rules-proxier.ts';

/** A node that remembers what it was sent and can be rebooted. */
class FakeNode {
  bootId = 'boot-1';
  generation: number | undefined;
  readonly received: RulesTransaction[] = [];

  send = async (transaction: RulesTransaction): Promise<RulesReply> => {
    this.received.push(transaction);
    const { base, bootId } = transaction;
    if (base !== null && (bootId !== this.bootId || base !== this.generation)) {
      return { kind: 'resync', bootId: this.bootId, reason: 'another boot' };
    }
    this.generation = (this.generation ?? 0) + 1;
    return { kind: 'applied', bootId: this.bootId, generation: this.generation };
  };
}

function makeProxier(node: Pick<FakeNode, 'send'>): RulesProxier {
  const context: ProxyContext = {
    family: 'ipv4',
    node: { name: 'worker-1', zone: '', address: parseIpv4('192.168.1.10')! },
    clusterCidr: parseIpv4Prefix('10.244.0.0/16')!,
    masqueradeAll: false,
    localhostNodePorts: true,
    serviceCidr: parseIpv4Prefix('10.96.0.0/12')!,
    scheduler: 'rr',
    sha256: (text) => createHash('sha256').update(text).digest(),
  };
  return new RulesProxier({
    context,
    compiler: new IptablesCompiler(context),
    send: node.send,
    refused: (problems) => expect.fail(problems),
  });
}

function web(...addresses: string[]): ServiceState {
  const metadata = { name: 'web', namespace: 'default', uid: 'u', creationTimestamp: '', resourceVersion: '1' };
  const [port] = servicePorts(
    { metadata, spec: { clusterIP: '10.96.0.5', ports: [{ port: 80, protocol: 'TCP' }] } },
    'ipv4',
  );
  const slice = {
    metadata,
    addressType: 'IPv4',
    ports: [{ port: 8080, protocol: 'TCP' }],
    endpoints: addresses.map((address) => ({ addresses: [address] })),
  };
  return { key: 'default/web', ports: [{ port: port!, endpoints: endpointsOfPort([slice], '', 'tcp') }] };
}

describe('rules proxier', () => {
  it('sends everything first, then only what changed', async () => {
    const node = new FakeNode();
    const proxier = makeProxier(node);
    proxier.update(web('10.244.1.2'));
    expect(await proxier.sync(false)).toMatchObject({ applied: true, full: true });
    proxier.update(web('10.244.1.2', '10.244.2.2'));
    expect(await proxier.sync(false)).toMatchObject({ applied: true, full: false });
    const chains = Object.keys(node.received[1]?.tables.nat?.set ?? {});
    expect(node.received[1]?.base).toBe(1);
    expect(chains.length).toBeGreaterThan(0);
    expect(chains).not.toContain('KUBE-POSTROUTING');
  });

  it('sends nothing when nothing changed, unless it has to look', async () => {
    const node = new FakeNode();
    const proxier = makeProxier(node);
    await proxier.sync(false);
    await proxier.sync(false);
    expect(node.received).toHaveLength(1);
    await proxier.sync(true);
    expect(node.received).toHaveLength(2);
  });

  it('sends everything anew to a node that booted', async () => {
    const node = new FakeNode();
    const proxier = makeProxier(node);
    proxier.update(web('10.244.1.2'));
    await proxier.sync(false);
    node.bootId = 'boot-2';
    node.generation = undefined;
    expect(await proxier.sync(true)).toMatchObject({ applied: true, full: true });
    expect(node.received.at(-1)?.base).toBeNull();
  });

  it('sends everything after an answer was lost', async () => {
    const node = new FakeNode();
    let lose = false;
    const proxier = makeProxier({
      send: async (transaction) => {
        const reply = await node.send(transaction);
        if (lose) throw new Error('no answer');
        return reply;
      },
    });
    await proxier.sync(false);
    proxier.update(web('10.244.1.2'));
    lose = true;
    await expect(proxier.sync(false)).rejects.toThrow('no answer');
    lose = false;
    expect(await proxier.sync(false)).toMatchObject({ applied: true, full: true });
  });
});
