/** From cilium's policies to what a connection may carry. */
import { describe, expect, it } from 'vitest';
import { parseIpv4 } from '../wire/address.ts';
import { type CiliumPolicySpec, type CiliumRule, ciliumPoliciesOf } from './cilium-policy.ts';
import { PolicyCompiler } from './compile.ts';
import { decide } from './endpoint-policy.ts';
import type { PolicyPod } from './policy-pod.ts';
import type { PolicyDecision } from './port-verdicts.ts';

const TCP = 6;
const UDP = 17;
const FRIEND = '10.244.1.2';
const STRANGER = '10.244.1.3';

function pod(name: string, address: string): PolicyPod {
  const common = { namespace: 'shop', nodeName: 'worker-1', ports: [] };
  return { ...common, uid: name, name, labels: { app: name }, addresses: [parseIpv4(address)!] };
}
const SERVER = pod('server', '10.244.1.1');
const PODS = [SERVER, pod('friend', FRIEND), pod('stranger', STRANGER)];

function compiled(spec: CiliumPolicySpec, named: Readonly<Record<string, readonly string[]>> = {}) {
  const object = { metadata: { namespace: 'shop', name: 'p' }, spec: { endpointSelector: {}, ...spec } };
  const policies = ciliumPoliciesOf('CiliumNetworkPolicy', object);
  const addressesOfNames = ({ matchName = '' }) => named[matchName] ?? [];
  const state = { policies, pods: PODS, namespaces: new Map(), blocksAreOutside: true, addressesOfNames };
  return new PolicyCompiler(state).endpoint(SERVER);
}

function ingress(...rules: CiliumRule[]): (peer: string, port: number, protocol?: number) => PolicyDecision {
  const policy = compiled({ ingress: rules })!.ingress!;
  return (peer, port, protocol = TCP) => decide(policy, parseIpv4(peer)!, protocol, port);
}

const friends = { fromEndpoints: [{ matchLabels: { app: 'friend' } }] };
const web = (...http: object[]): CiliumRule => ({
  toPorts: [{ ports: [{ port: '80', protocol: 'TCP' }], ...(http.length > 0 ? { rules: { http } } : {}) }],
});

describe('rules about HTTP', () => {
  it('hold at their ports, for their peers', () => {
    const said = ingress({ ...friends, ...web({ method: 'GET' }) });
    expect(said(FRIEND, 80).l7).toEqual({
      kind: 'http',
      alternatives: [
        {
          rules: { kind: 'http', rules: [{ method: 'GET' }] },
          cause: 'CiliumNetworkPolicy shop/p',
          rule: 'ingress rule 1',
        },
      ],
    });
    expect(said(STRANGER, 80).drop).not.toBeNull();
    expect(said(FRIEND, 81).drop).not.toBeNull();
    expect(said(FRIEND, 80, UDP).drop).not.toBeNull();
  });

  it('of several rules all have a say, those too that ask nothing', () => {
    const said = ingress(web({ path: '/a' }), { ...friends }, web({ path: '/b' }));
    const rulesOf = (peer: string) => said(peer, 80).l7?.alternatives.map(({ rules, rule }) => [rule, rules?.rules]);
    expect(rulesOf(STRANGER)).toEqual([
      ['ingress rule 1', [{ path: '/a' }]],
      ['ingress rule 3', [{ path: '/b' }]],
    ]);
    expect(rulesOf(FRIEND)).toContainEqual(['ingress rule 2', undefined]);
    expect(said(FRIEND, 81)).toMatchObject({ drop: null, rule: 'ingress rule 2' });
    expect(said(FRIEND, 81).l7).toBeUndefined();
  });

  it('other ports of the same rule are not asked', () => {
    const [entry] = web({ path: '/a' }).toPorts!;
    const said = ingress({ toPorts: [{ ports: [{ port: '81' }] }, entry!] });
    expect(said(FRIEND, 81)).toMatchObject({ drop: null, rule: 'ingress rule 1' });
    expect(said(FRIEND, 81).l7).toBeUndefined();
    expect(said(FRIEND, 80).l7?.kind).toBe('http');
  });

  it('what is denied is not looked into', () => {
    const policy = compiled({ ingress: [web({})], ingressDeny: [friends] })!.ingress!;
    expect(decide(policy, parseIpv4(FRIEND)!, TCP, 80).drop).not.toBeNull();
    expect(decide(policy, parseIpv4(STRANGER)!, TCP, 80).l7?.kind).toBe('http');
  });
});

it('names are the addresses that they have now, and never pods', () => {
  const spec: CiliumPolicySpec = { egress: [{ toFQDNs: [{ matchName: 'api.example.com' }] }] };
  const passes = (address: string, named: Readonly<Record<string, readonly string[]>>) =>
    decide(compiled(spec, named)!.egress!, parseIpv4(address)!, TCP, 443).drop === null;
  expect(passes('203.0.113.7', {})).toBe(false);
  expect(passes('203.0.113.7', { 'api.example.com': ['203.0.113.7'] })).toBe(true);
  expect(passes('203.0.113.8', { 'api.example.com': ['203.0.113.7'] })).toBe(false);
  expect(passes(FRIEND, { 'api.example.com': [FRIEND] })).toBe(false);
});
