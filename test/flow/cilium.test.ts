/** cilium's plugin on two nodes in virtual time: what its node shows, whose identity is on the wire, and what hubble observes. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { PluginOutput } from '../../node-agent/cni/plugin.ts';
import { addressRows, formatAddresses } from '../../node-agent/datapath/show/address.ts';
import { nodeNamespace, podNamespace } from '../../node-agent/datapath/show/namespace.ts';
import { formatRoutes, routeRows } from '../../node-agent/datapath/show/route.ts';
import { parseIpv4 } from '../../shared/wire/address.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import { CiliumWorld, CLIENT_ID, SERVER_ID } from './cilium-world.testkit.ts';

let world: CiliumWorld;
beforeEach(() => {
  world = new CiliumWorld();
});
const ask = () => world.cluster.ask(world.client.host, '10.244.2.3', 80).answer;

describe('a node shows', () => {
  it("cilium's devices and routes", () => {
    const node = world.cluster.node(1);
    const text = formatAddresses(addressRows(nodeNamespace(node)));
    expect(text).toMatch(/: cilium_net@cilium_host: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500/);
    expect(text).toMatch(/: cilium_host@cilium_net: [\s\S]* inet 10\.244\.1\.2\/32 scope global cilium_host/);
    expect(text).toMatch(/: cilium_vxlan: .* mtu 1500 qdisc noqueue state UNKNOWN/);
    expect(text).toMatch(/: lxc[0-9a-f]{12}@if2: .*\n.* link-netnsid 0/);
    const routes = formatRoutes(routeRows(node.root, 'ipv4'));
    expect(routes).toContain('10.244.1.0/24 via 10.244.1.2 dev cilium_host proto kernel src 10.244.1.2 ');
    expect(routes).toContain('10.244.1.2 dev cilium_host proto kernel scope link ');
    expect(routes).toContain('10.244.2.0/24 via 10.244.1.2 dev cilium_host proto kernel src 10.244.1.2 mtu 1450');
  });

  it('and a pod its gateway and the MTU of the way', () => {
    const routes = formatRoutes(routeRows(podNamespace(world.client.host).host, 'ipv4'));
    expect(routes).toBe('default via 10.244.1.2 dev eth0 mtu 1450 \n10.244.1.2 dev eth0 scope link \n');
  });

  it('its maps, endpoints and identities', () => {
    expect(world.command(1, 'cilium-dbg', 'bpf', 'tunnel', 'list')).toMatch(/10\.244\.2\.0:0 +192\.168\.1\.11:0/);
    const cache = world.command(1, 'cilium-dbg', 'bpf', 'ipcache', 'list');
    expect(cache).toMatch(
      /10\.244\.2\.3\/32 +identity=2000 encryptkey=0 tunnelendpoint=192\.168\.1\.11 flags=hastunnel/,
    );
    expect(cache).toMatch(/192\.168\.1\.11\/32 +identity=6 /);
    expect(world.command(1, 'cilium-dbg', 'identity', 'list')).toMatch(/1000 +k8s:app=client/);
    expect(world.command(1, 'cilium-dbg', 'endpoint', 'list')).toMatch(
      /Disabled +Disabled +1000 +k8s:app=client .*ready/,
    );
    expect(world.command(1, 'cilium-dbg', 'status')).toContain('Network: Tunnel [vxlan]');
    expect(world.command(1, 'cilium-dbg', 'metrics')).toContain('Error: unknown command');
  });
});

it('a packet in the tunnel carries the identity of who sends', () => {
  expect(ask()).toContain('server heard');
  const identities = world.cluster.captured.map((datagram) => vxlan.vni(new DataView(datagram.buffer), 0));
  expect(identities.filter((identity) => identity !== 0)).toEqual([CLIENT_ID, SERVER_ID]);
});

describe('cilium-dbg', () => {
  const dbg = (words: string) => world.command(2, 'cilium-dbg', ...words.split(' '));

  it('gets endpoints and identities in JSON', () => {
    world.apply({ endpointSelector: { matchLabels: { app: 'server' } }, ingress: [{}] });
    const [endpoint] = JSON.parse(dbg('endpoint list -o json'));
    expect(endpoint.status).toMatchObject({
      'external-identifiers': { 'pod-name': 'default/server' },
      identity: { id: SERVER_ID, labels: expect.arrayContaining(['k8s:app=server']) },
      networking: { addressing: [{ ipv4: '10.244.2.3' }], 'interface-name': expect.stringMatching(/^lxc/) },
      policy: { realized: { 'policy-enabled': 'ingress' } },
      state: 'ready',
    });
    expect(JSON.parse(dbg(`endpoint get ${endpoint.id}`))).toEqual([endpoint]);
    expect(dbg('endpoint get 4711')).toBe('Error: Cannot get endpoint 4711: endpoint not found\n');
    expect(JSON.parse(dbg('identity get 1'))).toEqual([{ id: 1, labels: ['reserved:host'] }]);
    expect(JSON.parse(dbg('identity list -o json')).at(-1)).toMatchObject({ id: SERVER_ID });
  });

  it('lists Services and nodes', () => {
    expect(dbg('status')).toMatch(/^KubeProxyReplacement: +False$/m);
    expect(dbg('service list')).toMatch(/^ID +Frontend +Service Type +Backend\n$/);
    const { rules, bootId } = world.cluster.node(2);
    const web = { protocol: 'tcp', address: parseIpv4('10.96.0.7')!, port: 80, type: 'ClusterIP' } as const;
    const backends = ['10.244.2.3', '10.244.1.3'].map((text) => ({ address: parseIpv4(text)!, port: 8080 }));
    const bpf = { set: [{ ...web, internal: backends, external: backends }] };
    rules.apply({ owner: 'kube-proxy', family: 'ipv4', bootId, base: null, tables: {}, bpf });
    expect(dbg('service list')).toMatch(
      /\n1 +10\.96\.0\.7:80\/TCP +ClusterIP +1 => 10\.244\.2\.3:8080\/TCP \(active\)\n +2 => 10\.244\.1\.3:8080\/TCP \(active\)\n$/,
    );
    expect(dbg('status')).toMatch(/^KubeProxyReplacement: +True +\[eth0 +192\.168\.1\.11 \(Direct Routing\)\]$/m);
    expect(dbg('node list')).toMatch(
      /\ndefault\/worker-1 +192\.168\.1\.10 +10\.244\.1\.0\/24 +custom-resource\ndefault\/worker-2 .* local\n$/,
    );
  });

  it('says what there is', () => {
    expect(dbg('--help')).toContain('  cilium-dbg policy get\n');
    expect(dbg('bgp peers')).toMatch(/^Error: unknown command "bgp peers" for "cilium-dbg"\nUsage:/);
    expect(dbg('encrypt status')).toBe('Encryption: Disabled\n');
    expect(world.command(2, 'hubble', 'observe', '--help')).toContain('  --from-label\n');
  });
});

describe('hubble observe', () => {
  const selector = { endpointSelector: { matchLabels: { app: 'server' } } };

  it('shows what was forwarded, on both nodes', () => {
    ask();
    const line = (arrow: string, point: string) =>
      `default/client:\\d+ \\(ID:1000\\) ${arrow} default/server:80 \\(ID:2000\\) ${point} FORWARDED \\(UDP\\)\n`;
    const seen = (first: string, then: string) => new RegExp(`${line('->', first)}.*: ${line('<-', then)}$`);
    expect(world.command(1, 'hubble', 'observe')).toMatch(seen('to-overlay', 'to-endpoint'));
    expect(world.command(2, 'hubble', 'observe')).toMatch(seen('to-endpoint', 'to-overlay'));
    expect(world.command(2, 'hubble', 'observe', '--to-pod', 'server')).toMatch(/to-endpoint FORWARDED \(UDP\)\n$/);
  });

  it('shows the first packet of each direction, and says whose connection a reply belongs to', () => {
    const port = 40_000;
    for (let i = 0; i < 3; i++) world.cluster.ask(world.client.host, '10.244.2.3', 80, port);
    const flows = world
      .command(2, 'hubble', 'observe', '-o', 'json')
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text).flow);
    expect(flows.map(({ is_reply, traffic_direction }) => [is_reply, traffic_direction])).toEqual([
      [false, 'INGRESS'],
      [true, 'INGRESS'],
    ]);
    world.apply({ ...selector, ingress: [{ fromEntities: ['all'] }] });
    world.cluster.ask(world.client.host, '10.244.2.3', 80, port);
    expect(world.command(2, 'hubble', 'observe').split('\n')).toHaveLength(2 + 1); // judged anew, and nothing new to see
  });

  it('follows', () => {
    ask();
    const first = world.output(1, 'hubble', 'observe', '-f', '--protocol', 'udp');
    expect(first).toEqual({ text: '', next: ['observe', '-f', '--protocol', 'udp', '--after=2'] });
    const next = (output: PluginOutput) =>
      world.output(1, 'hubble', ...(typeof output === 'string' ? [] : output.next));
    expect(next(first)).toEqual(first);
    ask();
    const second = next(first);
    expect(second).toMatchObject({
      text: expect.stringMatching(/->.*\n.*<-.*\n$/),
      next: expect.arrayContaining(['--after=4']),
    });
    expect(next(second)).toMatchObject({ text: '' });
  });

  it('shows what a policy drops, and which', () => {
    world.apply({ ...selector, ingress: [{}] });
    expect(ask()).toBeNull();
    const [line = ''] = world.command(2, 'hubble', 'observe', '--verdict', 'DROPPED', '-o', 'json').split('\n');
    const { flow } = JSON.parse(line);
    expect(flow).toMatchObject({
      verdict: 'DROPPED',
      drop_reason_desc: 'POLICY_DENIED',
      traffic_direction: 'INGRESS',
      source: { identity: CLIENT_ID, pod_name: 'client' },
      l4: { UDP: { destination_port: 80 } },
      ingress_denied_by: [{ kind: 'CiliumNetworkPolicy', namespace: 'default', name: 'guard' }],
    });
    expect(world.command(2, 'hubble', 'observe')).toMatch(/<> default\/server:80 \(ID:2000\) Policy denied DROPPED/);
    expect(world.command(2, 'cilium-dbg', 'endpoint', 'list')).toMatch(/Enabled +Disabled +2000/);
  });

  it('filters, and refuses what it does not know', () => {
    ask();
    expect(world.command(1, 'hubble', 'observe', '--verdict', 'DROPPED')).toBe('');
    expect(world.command(1, 'hubble', 'observe', '--port', '81')).toBe('');
    expect(world.command(1, 'hubble', 'observe', '--protocol', 'udp', '-n', 'default')).not.toBe('');
    expect(world.command(1, 'hubble', 'observe', '--tree')).toMatch(/^Error: Unknown option '--tree'/);
  });

  // Of a question from the client to the server's port 80, and its answer: which of the two is shown.
  it.each<[string, string]>([
    ['--from-label app=client', '->'],
    ['--to-label k8s:app=client', '<-'],
    ['--label app=stranger', ''],
    ['--from-identity 1000', '->'],
    ['--identity world', ''],
    ['--from-ip 10.244.1.0/24', '->'],
    ['--ip 10.244.2.3', '-> <-'],
    ['--not --from-pod client', '<-'],
    ['--not --from-pod client --not --to-port 81', '-> <-'],
    ['--from-port 80 --from-namespace default', '<-'],
    ['--traffic-direction ingress', '-> <-'],
    ['--traffic-direction egress', ''],
    ['--first 1', '->'],
    ['--last 1', '<-'],
    ['--since 1h --until 30m', ''],
    ['--since 1h', '-> <-'],
    ['--node-name worker-1', ''],
    ['--node-name default/worker-2 --all', '-> <-'],
    ['--type trace --type drop', '-> <-'],
    ['--type l7', ''],
  ])('%s', (filters, expected) => {
    ask();
    const lines = world.command(2, 'hubble', 'observe', ...filters.split(' '));
    expect([...lines.matchAll(/ (->|<-) /g)].map(([, arrow]) => arrow).join(' ')).toBe(expected);
  });

  it.each([
    ['--since yesterday', 'invalid time "yesterday"'],
    ['--ip 10.244.0.0/99', 'invalid CIDR address: 10.244.0.0/99'],
    ['--identity nobody', 'invalid identity "nobody"'],
    ['--verdict REFUSED', 'invalid argument "REFUSED" for "--verdict" flag: there are FORWARDED, DROPPED here'],
    ['-t policy-verdict', 'invalid argument "policy-verdict" for "--type" flag: there are trace, drop, l7 here'],
    ['--first x', 'invalid argument "x" for "--first" flag'],
    ['--http-path (', 'invalid argument "(" for "--http-path" flag'],
  ])('%s is wrong', (filters, expected) => {
    expect(world.command(1, 'hubble', 'observe', ...filters.split(' '))).toContain(`Error: ${expected}`);
  });

  it('says which policy let a connection begin, and on which node it was seen', () => {
    world.apply({ ...selector, ingress: [{ fromEntities: ['cluster'] }] });
    ask();
    const [line = ''] = world.command(2, 'hubble', 'observe', '--first', '1', '-o', 'json').split('\n');
    expect(JSON.parse(line).flow).toMatchObject({
      destination: { ID: expect.any(Number), identity: SERVER_ID },
      ingress_allowed_by: [{ kind: 'CiliumNetworkPolicy', namespace: 'default', name: 'guard' }],
    });
    expect(world.command(2, 'hubble', 'observe', '--print-node-name')).toMatch(/^\w+ [\d :.]+ \[worker-2\]: default/);
  });
});

it('a node may always reach its own pods, another node by the rules', () => {
  world.apply({ endpointSelector: {}, ingress: [{}] });
  expect(world.cluster.ask(world.cluster.node(2).root, '10.244.2.3', 80).answer).toContain('server heard');
  expect(world.cluster.ask(world.cluster.node(1).root, '10.244.2.3', 80).answer).toBeNull();
});

describe('with encryption', () => {
  const text = (datagram: Uint8Array) => new TextDecoder('latin1').decode(datagram);

  it('pods talk, and no word of theirs is between the nodes', () => {
    const { cluster, client } = world;
    expect(cluster.ask(client.host, '10.244.2.3', 80).answer).toContain('server heard question');
    expect(cluster.captured.some((datagram) => text(datagram).includes('question'))).toBe(true);
    expect(world.command(1, 'cilium-dbg', 'status')).toMatch(/Encryption: +Disabled/);

    const sealed = new CiliumWorld('wireguard');
    const { answer } = sealed.cluster.ask(sealed.client.host, '10.244.2.3', 80);
    expect(answer).toContain('server heard question');
    expect(sealed.cluster.captured.some((datagram) => text(datagram).includes('question'))).toBe(false);
    expect(sealed.command(1, 'cilium-dbg', 'status')).toMatch(
      /Encryption: +Wireguard {3}\[NodeEncryption: Disabled, cilium_wg0 \(Pubkey: \S{44}, Port: 51871, Peers: 1\)\]/,
    );
  });

  it.each(['vxlan', 'geneve'] as const)('as it does with a %s tunnel, which stands idle', (routing) => {
    const sealed = new CiliumWorld(routing, 2, { 'enable-wireguard': 'true' });
    const { answer } = sealed.cluster.ask(sealed.client.host, '10.244.2.3', 80);
    expect(answer).toContain('server heard question');
    expect(sealed.cluster.captured.some((datagram) => text(datagram).includes('question'))).toBe(false);
    expect(sealed.command(1, 'cilium-dbg', 'status')).toMatch(
      /Network: Tunnel \[\w+\][\s\S]*Encryption: +Wireguard .* Peers: 1\)\]/,
    );
    const routes = formatRoutes(routeRows(sealed.cluster.node(1).root, 'ipv4'));
    expect(routes).toContain('10.244.2.0/24 dev cilium_wg0 proto kernel ');
  });

  it('policies are in force behind it', () => {
    const sealed = new CiliumWorld('wireguard');
    sealed.apply({ endpointSelector: {}, ingress: [{}] });
    expect(sealed.cluster.ask(sealed.client.host, '10.244.2.3', 80).answer).toBeNull();
    expect(sealed.command(2, 'hubble', 'observe')).toContain('Policy denied DROPPED');
  });
});
