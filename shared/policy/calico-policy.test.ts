/** Calico's policies as verdicts, by the texts of its manual. */
import { describe, expect, it } from 'vitest';
import { parseIpv4 } from '../wire/address.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { type CalicoPolicyObject, type CalicoPolicySpec, type CalicoTier, calicoPoliciesOf } from './calico-policy.ts';
import { parseCalicoSelector } from './calico-selector.ts';
import { PolicyCompiler } from './compile.ts';
import { decide } from './endpoint-policy.ts';
import { policyOf } from './network-policy.ts';
import type { CalicoNetworkSet } from './network-set.ts';
import { policyPodOf } from './policy-pod.ts';
import type { Policy } from './policy-rule.ts';

const { PROTOCOL_TCP: TCP, PROTOCOL_UDP: UDP, PROTOCOL_ICMP: ICMP } = ipv4;
const ECHO_REQUEST = 8;
const TIMESTAMP = 13;

const WHO: Readonly<Record<string, string>> = {
  web: '10.244.1.5',
  db: '10.244.1.6',
  other: '10.244.2.7',
  outside: '203.0.113.9',
};

const pod = (namespace: string, name: string, labels: Record<string, string>) =>
  policyPodOf({
    metadata: { uid: name, namespace, name, labels },
    spec: {
      serviceAccountName: `${name}-account`,
      containers: [{ name: 'c', ports: [{ name: 'sql', containerPort: 5432 }] }],
    },
    status: { phase: 'Running', podIP: WHO[name] },
  });

const PODS = [
  pod('shop', 'web', { role: 'web', env: 'prod' }),
  pod('shop', 'db', { role: 'db' }),
  pod('lab', 'other', { role: 'web' }),
];

const NAMESPACES = new Map([
  ['shop', { team: 'a' }],
  ['lab', { team: 'b' }],
]);
const ACCOUNTS = new Map([
  ['shop/web-account', { tier: 'front' }],
  ['shop/db-account', { tier: 'back' }],
]);

type Kind = 'GlobalNetworkPolicy' | 'NetworkPolicy';
const calico = (kind: Kind, name: string, spec: CalicoPolicySpec): CalicoPolicyObject & { kind: Kind } => ({
  kind,
  metadata: { name, namespace: 'shop' },
  spec,
});
const global = (name: string, spec: CalicoPolicySpec) => calico('GlobalNetworkPolicy', name, spec);
const tier = (name: string, order: number | undefined, defaultAction?: 'Deny' | 'Pass'): CalicoTier => ({
  metadata: { name },
  spec: { order, defaultAction },
});

/** Who may open a connection to `db` at a port. */
function whoMay(policies: readonly Policy[], protocol = TCP, port = 5432): string[] {
  const compiler = new PolicyCompiler({
    policies,
    pods: PODS,
    namespaces: NAMESPACES,
  });
  const ingress = compiler.endpoint(PODS[1]!)?.ingress;
  const names = ['web', 'other', 'outside'];
  return ingress == null
    ? names
    : names.filter((name) => decide(ingress, parseIpv4(WHO[name]!)!, protocol, port).drop === null);
}

function allowed(
  objects: readonly ReturnType<typeof calico>[],
  tiers: readonly CalicoTier[] = [],
  sets: readonly CalicoNetworkSet[] = [],
): string[] {
  return whoMay(calicoPoliciesOf(objects, tiers, { sets, accounts: ACCOUNTS, namespaces: NAMESPACES }));
}

describe('calico policies', () => {
  it('select by expressions, and isolate whom they select', () => {
    const to = { selector: "role == 'db'" };
    expect(allowed([global('a', { ...to, ingress: [] })])).toEqual([]);
    expect(allowed([global('a', { selector: "role == 'cache'", ingress: [] })])).toEqual(['web', 'other', 'outside']);
    const from = (source: object) => allowed([global('a', { ...to, ingress: [{ action: 'Allow', source }] })]);
    expect(from({ selector: "role == 'web'" })).toEqual(['web', 'other']);
    expect(from({ selector: "role == 'web'", notSelector: 'has(env)' })).toEqual(['other']);
    expect(from({ namespaceSelector: "team in {'a', 'c'}" })).toEqual(['web']);
    expect(from({ selector: "role == 'web' && pcns.team == 'b'" })).toEqual(['other']);
    expect(from({ selector: "projectcalico.org/namespace == 'shop'" })).toEqual(['web']);
    expect(from({ selector: 'global()' })).toEqual([]);
    expect(from({ nets: ['10.244.0.0/16'], notNets: ['10.244.2.0/24'] })).toEqual(['web']);
    expect(from({ notNets: ['10.0.0.0/8'] })).toEqual(['outside']);
    expect(from({})).toEqual(['web', 'other', 'outside']);
  });

  it('of a namespace mean its own pods where they name no namespaces', () => {
    const rule = (source: object) => [{ action: 'Allow' as const, source }];
    const one = (source: object) => allowed([calico('NetworkPolicy', 'a', { ingress: rule(source) })]);
    expect(one({ selector: "role == 'web'" })).toEqual(['web']);
    expect(one({ selector: "role == 'web'", namespaceSelector: 'all()' })).toEqual(['web', 'other']);
    expect(one({ namespaceSelector: "projectcalico.org/name == 'lab'" })).toEqual(['other']);
  });

  it('the lowest order decides, one without an order last', () => {
    const deny = global('z-deny', { order: 10, ingress: [{ action: 'Deny', source: { selector: 'has(env)' } }] });
    const allow = global('a-allow', { order: 20, ingress: [{ action: 'Allow' }] });
    expect(allowed([allow, deny])).toEqual(['other', 'outside']);
    const { order: _, ...withoutOrder } = deny.spec as CalicoPolicySpec;
    expect(allowed([allow, global('z-deny', withoutOrder)])).toEqual(['web', 'other', 'outside']);
  });

  it('Log goes on, and the rules behind it keep their numbers', () => {
    const policy = global('a', { ingress: [{ action: 'Log' }, { action: 'Allow', source: { selector: 'has(env)' } }] });
    expect(allowed([policy])).toEqual(['web']);
    const compiler = new PolicyCompiler({
      policies: calicoPoliciesOf([policy], []),
      pods: PODS,
      namespaces: new Map(),
    });
    const decision = decide(compiler.endpoint(PODS[1]!)!.ingress!, parseIpv4(WHO.web!)!, TCP, 5432);
    expect(decision).toMatchObject({ cause: 'calico GlobalNetworkPolicy a', rule: 'ingress rule 2', logs: 1 });
  });

  it('Pass hands on to the next tier, whose end denies unless it passes', () => {
    const tiers = [tier('security', 100), tier('default', 1_000_000)];
    const pass = global('first', {
      tier: 'security',
      ingress: [{ action: 'Pass', source: { selector: "role == 'web'" } }],
    });
    const kubernetes = policyOf({
      metadata: { namespace: 'shop', name: 'own' },
      spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] },
    });
    expect(allowed([pass], tiers)).toEqual(['web', 'other']);
    expect(whoMay([...calicoPoliciesOf([pass], tiers), kubernetes])).toEqual(['web']);
    expect(allowed([pass], [tier('security', 100, 'Pass')])).toEqual(['web', 'other', 'outside']);
    expect(allowed([pass], [])).toEqual(['web', 'other', 'outside']); // a tier that is not there
  });

  it('tiers of one order follow each other by name', () => {
    const deny = global('x', { tier: 'b', ingress: [{ action: 'Deny' }] });
    const allow = global('y', { tier: 'a', ingress: [{ action: 'Allow' }] });
    for (const order of [5, undefined]) {
      expect(allowed([deny, allow], [tier('b', order), tier('a', order)])).toEqual(['web', 'other', 'outside']);
    }
  });

  it("stand around Kubernetes' policies, whose order is 1000", () => {
    const kubernetes = policyOf({
      metadata: { namespace: 'shop', name: 'own' },
      spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] },
    });
    const denying = (order: number) => calicoPoliciesOf([global('deny', { order, ingress: [{ action: 'Deny' }] })], []);
    expect(whoMay([kubernetes, ...denying(999)])).toEqual([]);
    expect(whoMay([kubernetes, ...denying(1001)])).toEqual(['web']);
  });

  it('cover ports by number, range and name, and ICMP by type', () => {
    const rule = (more: object) => calicoPoliciesOf([global('a', { ingress: [{ action: 'Allow', ...more }] })], []);
    const ports = rule({ protocol: 'TCP', destination: { ports: [80, '8000:8010', 'sql'] } });
    const open = [79, 80, 8000, 8010, 8011, 5432].filter((port) => whoMay(ports, TCP, port).length > 0);
    expect(open).toEqual([80, 8000, 8010, 5432]);
    expect(whoMay(ports, UDP, 80)).toEqual([]);
    expect(whoMay(rule({ protocol: 'UDP' }), UDP, 9).length).toBe(3);
    const echo = rule({ protocol: 'ICMP', icmp: { type: ECHO_REQUEST } });
    expect([whoMay(echo, ICMP, ECHO_REQUEST).length, whoMay(echo, ICMP, TIMESTAMP).length]).toEqual([3, 0]);
    expect(whoMay(rule({ protocol: 47 }), 47, 0).length).toBe(3);
    expect(whoMay(rule({ protocol: 47 }), TCP, 80)).toEqual([]);
    expect(whoMay(rule({ ipVersion: 6 }), TCP, 80)).toEqual([]);
  });

  it('cover all ports but some', () => {
    const rule = (destination: object) =>
      calicoPoliciesOf([global('a', { ingress: [{ action: 'Allow', protocol: 'TCP', destination }] })], []);
    const open = (destination: object) =>
      [0, 79, 80, 81, 89, 90, 91, 5432, 65_535].filter((port) => whoMay(rule(destination), TCP, port).length > 0);
    expect(open({ notPorts: [80, '90:65000'] })).toEqual([0, 79, 81, 89, 65_535]);
    expect(open({ ports: ['79:91'], notPorts: ['0:80', 90] })).toEqual([81, 89, 91]);
    expect(open({ notPorts: ['sql'] })).toEqual([]); // whose ports a rule cannot know: it allows nobody
  });

  it('mean network sets by their labels', () => {
    const set = (namespace: string | undefined, net: string): CalicoNetworkSet => ({
      metadata: { name: 'partners', namespace, labels: { kind: 'partner' } },
      spec: { nets: [net] },
    });
    const from = (kind: Kind, source: object, sets: CalicoNetworkSet[]) =>
      allowed([calico(kind, 'a', { selector: "role == 'db'", ingress: [{ action: 'Allow', source }] })], [], sets);
    const everywhere = set(undefined, '203.0.113.0/24');
    const partner = { selector: "kind == 'partner'" };
    expect(from('GlobalNetworkPolicy', partner, [everywhere])).toEqual(['outside']);
    expect(from('GlobalNetworkPolicy', partner, [set('lab', '10.244.2.7/32')])).toEqual(['other']);
    expect(from('GlobalNetworkPolicy', { selector: "kind != 'partner'" }, [everywhere])).toEqual(['web', 'other']);
    expect(from('GlobalNetworkPolicy', { ...partner, namespaceSelector: 'global()' }, [everywhere])).toEqual([
      'outside',
    ]);
    expect(from('GlobalNetworkPolicy', { ...partner, namespaceSelector: 'all()' }, [everywhere])).toEqual([]);
    expect(from('NetworkPolicy', partner, [everywhere])).toEqual([]);
    expect(from('NetworkPolicy', partner, [set('shop', '203.0.113.9/32')])).toEqual(['outside']);
    expect(from('NetworkPolicy', { namespaceSelector: 'global()' }, [everywhere])).toEqual(['outside']);
    const lab = { ...partner, namespaceSelector: "kubernetes.io/metadata.name == 'lab'" };
    expect(from('NetworkPolicy', lab, [set('lab', '203.0.113.9/32'), set('shop', '10.244.1.5/32')])).toEqual([
      'outside',
    ]);
    const teamB = { ...partner, namespaceSelector: "team == 'b'" };
    expect(from('NetworkPolicy', teamB, [set('lab', '203.0.113.9/32'), set('shop', '10.244.1.5/32')])).toEqual([
      'outside',
    ]);
  });

  it('mean pods by their service accounts', () => {
    const from = (source: object) =>
      allowed([global('a', { selector: "role == 'db'", ingress: [{ action: 'Allow', source }] })]);
    expect(from({ serviceAccounts: { names: ['other-account', 'nobody'] } })).toEqual(['other']);
    expect(from({ serviceAccounts: { names: ['other-account'] }, selector: 'has(env)' })).toEqual([]);
    expect(from({ serviceAccounts: {} })).toEqual(['web', 'other']);
    expect(from({ selector: "projectcalico.org/serviceaccount == 'web-account'" })).toEqual(['web']);
    expect(from({ serviceAccounts: { selector: "tier == 'front'" } })).toEqual(['web']);
    expect(from({ serviceAccounts: { selector: "tier == 'front'", names: ['other-account'] } })).toEqual([]);
    expect(from({ selector: "pcsa.tier == 'front'" })).toEqual(['web']);
    const to = (serviceAccountSelector: string) =>
      allowed([global('a', { serviceAccountSelector, ingress: [{ action: 'Deny' }] })]);
    expect(to("tier == 'back'")).toEqual([]);
    expect(to("projectcalico.org/name == 'db-account'")).toEqual([]);
    expect(to("tier == 'front'")).toEqual(['web', 'other', 'outside']);
  });

  it('mean pods and network sets by selectors and nets at once', () => {
    const partner: CalicoNetworkSet = {
      metadata: { name: 'partners', labels: { role: 'web' } },
      spec: { nets: ['203.0.112.0/22'] },
    };
    const from = (source: object) =>
      allowed([global('a', { selector: "role == 'db'", ingress: [{ action: 'Allow', source }] })], [], [partner]);
    const web = { selector: "role == 'web'" };
    expect(from(web)).toEqual(['web', 'other', 'outside']);
    expect(from({ ...web, nets: ['10.244.1.0/24'] })).toEqual(['web']);
    expect(from({ ...web, notNets: ['10.244.1.0/24'] })).toEqual(['other', 'outside']);
    expect(from({ ...web, nets: ['203.0.113.0/24'] })).toEqual(['outside']);
    expect(from({ ...web, nets: ['203.0.0.0/16'], notNets: ['203.0.113.9/32'] })).toEqual([]);
    expect(from({ serviceAccounts: { names: ['web-account'] }, nets: ['10.244.2.0/24'] })).toEqual([]);
  });

  it('mean all but some', () => {
    const partner: CalicoNetworkSet = {
      metadata: { name: 'partners', labels: { env: 'prod' } },
      spec: { nets: ['203.0.113.0/24'] },
    };
    const from = (kind: Kind, source: object, sets: CalicoNetworkSet[] = []) =>
      allowed([calico(kind, 'a', { selector: "role == 'db'", ingress: [{ action: 'Allow', source }] })], [], sets);
    const notProd = { notSelector: "env == 'prod'" };
    expect(from('GlobalNetworkPolicy', notProd)).toEqual(['other', 'outside']);
    expect(from('GlobalNetworkPolicy', notProd, [partner])).toEqual(['other']);
    expect(from('GlobalNetworkPolicy', { ...notProd, nets: ['203.0.0.0/8'] })).toEqual(['outside']);
    expect(from('GlobalNetworkPolicy', { ...notProd, namespaceSelector: 'all()' })).toEqual(['other']);
    expect(from('NetworkPolicy', notProd)).toEqual([]); // its own namespace's
    expect(from('NetworkPolicy', { notSelector: "env == 'test'" })).toEqual(['web']);
  });

  it('cover all protocols but one, and all types of ICMP but one', () => {
    const rule = (more: object) => calicoPoliciesOf([global('a', { ingress: [{ action: 'Allow', ...more }] })], []);
    const notTcp = rule({ notProtocol: 'TCP' });
    expect([TCP, UDP, ICMP, 47].filter((protocol) => whoMay(notTcp, protocol, 80).length > 0)).toEqual([UDP, ICMP, 47]);
    expect(whoMay(rule({ protocol: 'UDP', notProtocol: 'TCP' }), UDP, 80).length).toBe(3);
    expect(whoMay(rule({ protocol: 'TCP', notProtocol: 'TCP' }), TCP, 80)).toEqual([]);
    const notEcho = rule({ protocol: 'ICMP', notICMP: { type: ECHO_REQUEST } });
    expect([ECHO_REQUEST, TIMESTAMP].filter((type) => whoMay(notEcho, ICMP, type).length > 0)).toEqual([TIMESTAMP]);
    // What opens a connection of ICMP has code 0.
    expect(whoMay(rule({ protocol: 'ICMP', icmp: { type: ECHO_REQUEST, code: 3 } }), ICMP, ECHO_REQUEST)).toEqual([]);
  });

  it('speak of the directions that they name, or that their rules have', () => {
    const [out] = calicoPoliciesOf([global('a', { egress: [{ action: 'Allow' }] })], []);
    expect([out?.ingress, out?.egress?.length]).toEqual([null, 1]);
    const [none] = calicoPoliciesOf([global('a', {})], []);
    expect([none?.ingress, none?.egress]).toEqual([[], null]);
    const [named] = calicoPoliciesOf([global('a', { types: ['Egress'], ingress: [{ action: 'Allow' }] })], []);
    expect([named?.ingress, named?.egress]).toEqual([null, []]);
  });

  it('fail closed where a selector cannot be read', () => {
    const broken = { selector: "role = 'web'" };
    expect(allowed([global('a', { ingress: [{ action: 'Allow', source: broken }] })])).toEqual([]);
    const [policy] = calicoPoliciesOf([global('a', { ingress: [{ action: 'Deny', source: broken }] })], []);
    expect(policy?.ingress?.[0]).toMatchObject({ action: 'deny', peers: null });
  });
});

describe('selectors', () => {
  const labels: Readonly<Record<string, string>> = { role: 'web-1', env: 'prod', 'a.b/c': '' };
  it.each([
    ['', true],
    ['all()', true],
    ['global()', false],
    ['has(role)', true],
    ['!has(role)', false],
    ["role == 'web-1'", true],
    ['role != "web-1"', false],
    ["nothing != 'x'", true],
    ["env in {'prod','test'}", true],
    ["env not in {'prod'}", false],
    ["nothing not in {'prod'}", true],
    ['env in {}', false],
    ["role contains 'eb'", true],
    ["role starts with 'web'", true],
    ["role ends with '-2'", false],
    ["has(a.b/c) && a.b/c == ''", true],
    ["has(x) || has(role) && !(env == 'test')", true],
    ["(has(x) || has(role)) && env == 'test'", false],
  ])('%s', (text, expected) => {
    expect(parseCalicoSelector(text).matches((key) => labels[key])).toBe(expected);
  });

  it.each([
    ["role = 'x'", `selector "role = 'x'": found '= 'x''`],
    ['role', 'selector "role": found the end, expected ==, !=, in, not in, contains, starts with or ends with'],
    ["(role == 'x'", `selector "(role == 'x'": found the end, expected ')'`],
    ['role == x', `selector "role == x": found 'x', expected a text in quotes`],
    ['has(a) has(b)', `selector "has(a) has(b)": found 'has(b)', expected '&&', '||' or the end`],
    ['&& has(a)', `selector "&& has(a)": found '&& has(a)', expected a label's name, has(...), all(), '!' or '('`],
  ])('says where %s ceases to be one', (text, message) => {
    expect(() => parseCalicoSelector(text)).toThrow(message);
  });
});
