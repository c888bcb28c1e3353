/** `ipvsadm`, `ipset` and `nft` of a node whose Services the proxy compiled. */
import { describe, expect, it } from 'vitest';
import { TestCluster } from '../../test/flow/cluster.testkit.ts';
import { NodeProxy, type ProxyMode } from '../../test/flow/service-world.testkit.ts';
import { nodeKernelView } from './kernel-view.ts';

function nodeWith(mode: ProxyMode) {
  const cluster = new TestCluster(1, 1, { traced: false });
  const client = cluster.pod('10.244.1.5').host;
  cluster.udpServer(cluster.pod('10.244.1.6').host, 53);
  const proxy = new NodeProxy(mode, cluster.node(1));
  proxy.update({
    name: 'dns',
    spec: {
      type: 'NodePort',
      clusterIP: '10.96.0.10',
      ports: [{ name: 'dns', port: 53, nodePort: 30053, protocol: 'UDP' }],
      sessionAffinity: 'ClientIP',
    },
    backends: [{ address: '10.244.1.6', port: 53 }],
  });
  proxy.sync();
  cluster.ask(client, '10.96.0.10', 53, 40_000);
  const kernel = nodeKernelView(cluster.node(1));
  return (line: string) => kernel.run(line.split(' '));
}

describe('ipvsadm', () => {
  const run = nodeWith('ipvs');

  it('lists virtual servers', () => {
    expect(run('ipvsadm -Ln').stdout).toBe(`IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
UDP  10.96.0.10:53 rr persistent 10800
  -> 10.244.1.6:53                Masq    1      0          1         
UDP  192.168.1.10:30053 rr persistent 10800
  -> 10.244.1.6:53                Masq    1      0          0         
`);
  });

  it('counts their traffic, and lists connections', () => {
    const [, , , service, server] = run('ipvsadm -L -n --stats').stdout.split('\n');
    expect(service).toMatch(/^UDP {2}10\.96\.0\.10:53 {15} {8}1 {8}1 {8}1 +\d+ +\d+$/);
    expect(server).toMatch(/^ {2}-> 10\.244\.1\.6:53 {15} {8}1 {8}1 {8}1 /);
    expect(run('ipvsadm -Lnc').stdout.split('\n')[2]).toMatch(
      /^UDP 00:\d\d {2}UDP {9}10\.244\.1\.5:40000 {3}10\.96\.0\.10:53 {6}10\.244\.1\.6:53$/,
    );
  });

  it('says what it does not do', () => {
    expect(run('ipvsadm -A -t 10.96.0.1:80')).toMatchObject({ code: 2 });
    expect(run('ipvsadm -Ln --rate').stderr).toContain('--stats');
  });

  it('has the few sets and rules that the original leaves to iptables', () => {
    expect(run('ipset list KUBE-CLUSTER-IP').stdout).toContain('Number of entries: 1\nMembers:\n10.96.0.10,udp:53\n');
    expect(run('ipset list KUBE-LOOP-BACK').stdout).toContain('10.244.1.6,udp:53,10.244.1.6');
    expect(run('ipset list NONE').code).toBe(1);
    expect(run('iptables-save -t nat').stdout).toContain(
      '-m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ',
    );
    expect(run('ip addr show kube-ipvs0').stdout).toContain('inet 10.96.0.10/32 scope global kube-ipvs0');
  });
});

describe('nft', () => {
  const run = nodeWith('nftables');

  it('lists the table, its maps and chains', () => {
    expect(run('nft list tables').stdout).toBe('table ip kube-proxy\n');
    const ruleset = run('nft list ruleset').stdout;
    expect(run('nft list table ip kube-proxy').stdout).toBe(ruleset);
    expect(ruleset).toContain(`
	map service-ips {
		type ipv4_addr . inet_proto . inet_service : verdict
		comment "ClusterIP, ExternalIP and LoadBalancer IP traffic"
		elements = { 10.96.0.10 . udp . 53 : goto service-Z3XHB2ZZ-default/dns/udp/dns }
	}
`);
    expect(ruleset).toContain(`
	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		jump services
	}
`);
    expect(ruleset).toContain('type filter hook prerouting priority dstnat - 10; policy accept;');
  });

  it('shows one object inside its table', () => {
    expect(run('nft list chain ip kube-proxy masquerading').stdout).toBe(`table ip kube-proxy {
	chain masquerading {
		meta mark & 0x00004000 == 0x00000000 return
		meta mark set meta mark ^ 0x00004000
		masquerade fully-random
	}
}
`);
    expect(run('nft list chain ip kube-proxy none').stderr).toContain('Error: No such file or directory\n');
  });

  it('remembers the client of a Service with affinity', () => {
    const [name] = /affinity-\S+/.exec(run('nft list ruleset').stdout)!;
    expect(run(`nft list set ip kube-proxy ${name}`).stdout).toMatch(
      /flags dynamic,timeout\n\t\ttimeout 3h\n\t\telements = \{ 10\.244\.1\.5 expires 3h \}/,
    );
  });
});

describe('in another mode', () => {
  it('they list nothing', () => {
    const run = nodeWith('iptables');
    expect(run('nft list ruleset')).toMatchObject({ stdout: '', code: 0 });
    expect(run('ipvsadm -Ln').stdout.split('\n')).toHaveLength(4);
  });
});
