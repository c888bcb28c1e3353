/** The other proxy modes over real processes: a client reaches a Service by both IP versions, and the node shows by which tables. */
import { afterEach, describe, expect, it } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';
import { run } from './run-command.ts';

const MANIFEST = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: c, image: agnhost, args: [netexec, --http-port=8080] }] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  type: NodePort
  clusterIP: 10.96.77.7
  ipFamilyPolicy: RequireDualStack
  selector: { app: web }
  ports: [{ name: http, port: 80, targetPort: 8080, nodePort: 30080 }]
---
apiVersion: v1
kind: Pod
metadata: { name: client }
spec: { containers: [{ name: c, image: busybox, command: [sleep, infinity] }] }
`;

const shown = {
  ipvs: [
    {
      command: ['ipvsadm', '-Ln'],
      text: /TCP {2}10\.96\.77\.7:80 rr\n( {2}-> 10\.244\.\d\.\d+:8080 +Masq.*\n){2}/,
    },
    {
      command: ['ipvsadm', '-Ln'],
      text: /TCP {2}\[fd00:10:96::[\da-f:]+\]:80 rr\n( {2}-> \[fd00:10:244:\d::\w+\]:8080 +Masq.*\n){2}/,
    },
  ],
  nftables: [
    {
      command: ['nft', 'list', 'map', 'ip', 'kube-proxy', 'service-ips'],
      text: /10\.96\.77\.7 \. tcp \. 80 : goto service-[A-Z2-7]{8}-default\/web\/tcp\/http/,
    },
    {
      command: ['nft', 'list', 'map', 'ip6', 'kube-proxy', 'service-ips'],
      text: /type ipv6_addr [^}]*fd00:10:96::[\da-f:]+ \. tcp \. 80 : goto service-[A-Z2-7]{8}-default\/web\/tcp\/http/,
    },
  ],
  ebpf: [
    {
      command: ['cilium-dbg', 'bpf', 'lb', 'list'],
      text: /10\.96\.77\.7:80\/TCP \(0\) +0\.0\.0\.0:0 \(\d+\) \(0\) \[ClusterIP, non-routable\]/,
    },
    {
      command: ['cilium-dbg', 'bpf', 'lb', 'list'],
      text: /\[fd00:10:96::[\da-f:]+\]:80\/TCP \(0\) +\[::\]:0 \(\d+\) \(0\) \[ClusterIP, non-routable\]/,
    },
  ],
} as const;

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.down();
});

describe.each(['ipvs', 'nftables', 'ebpf'] as const)('podwire up --proxy-mode %s', (mode) => {
  it('leads clients of a Service to its pods', { timeout: 300_000 }, async ({ skip }) => {
    cluster = await TestCluster.start({ nodes: 2, arguments: ['--proxy-mode', mode, '--ip-family', 'dual'] });
    if (cluster === undefined) return skip('no kubectl');
    const c = cluster;
    await c.apply(MANIFEST);
    await c.kubectlOut(['rollout', 'status', 'deployment/web', '--timeout=120s']);
    await c.kubectlOut(['wait', '--for=condition=Ready', 'pod/client', '--timeout=120s']);
    const names = (
      await c.kubectlOut(['get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].metadata.name}'])
    ).split(' ');
    const clusterIpv6 = await c.kubectlOut(['get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIPs[1]}']);
    for (const host of ['web', `[${clusterIpv6}]`]) {
      const answered = new Set<string>();
      await waitFor(`both pods to answer at ${host}`, async () => {
        const { stdout } = await c.kubectl(['exec', 'client', '--', 'wget', '-qO-', `http://${host}/hostname`]);
        if (stdout !== '') answered.add(stdout);
        return answered.size === 2;
      });
      expect([...answered].sort()).toEqual(names.sort());
    }

    for (const { command, text } of shown[mode]) {
      // The client may be on the other node.
      await waitFor(`${command.join(' ')} to show ${text}`, async () =>
        text.test((await c.podwire(['node', 'exec', 'worker-1', '--', ...command])).stdout),
      );
    }
    const logs = await c.kubectlOut(['logs', '-n', 'kube-system', '-l', 'k8s-app=kube-proxy', '--tail=-1']);
    expect(logs).toMatch(new RegExp(`^I\\d{4} [\\d:.]{15} +1 server_linux\\.go:\\d+\\] "Using ${mode} Proxier"$`, 'm'));

    const ofProxy: readonly [string, RegExp][] = [
      ['127.0.0.1:10249/proxyMode', new RegExp(`^${mode}$`)],
      ['127.0.0.1:10249/metrics', /^kubeproxy_sync_proxy_rules_duration_seconds_count [1-9]/m],
      ['192.168.1.10:10256/healthz', /"nodeEligible": true}$/],
    ];
    for (const [url, text] of ofProxy) {
      const { stdout } = await c.podwire(['node', 'exec', 'worker-1', '--', 'curl', '-s', `http://${url}`]);
      expect(stdout).toMatch(text);
    }

    const fromHost = await waitFor('the real node port to answer', async () => {
      const { stdout } = await c.podwire(['status', '-o', 'json']);
      const { entrances } = JSON.parse(stdout) as { entrances: { realAddress: string; realPort: number }[] }; // podwire's own output
      const [entrance] = entrances;
      if (entrance === undefined) return undefined;
      const url = `http://${entrance.realAddress}:${entrance.realPort}/hostname`;
      return (await run('curl', ['-s', '--max-time', '5', url])).stdout;
    });
    expect(names).toContain(fromHost);
  });
});
