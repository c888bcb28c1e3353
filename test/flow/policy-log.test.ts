/** Calico's action Log: a line in the kernel's log of the node for each connection, and `dmesg`, which prints it. */
import { beforeEach, expect, test } from 'vitest';
import { PolicyEngine } from '../../node-agent/datapath/policy/policy-engine.ts';
import { policyLog } from '../../node-agent/datapath/policy/policy-log.ts';
import { nodeKernelView } from '../../node-agent/kernel-view/kernel-view.ts';
import { calicoPoliciesOf } from '../../shared/policy/calico-policy.ts';
import { PolicyCompiler } from '../../shared/policy/compile.ts';
import { policyPodOf } from '../../shared/policy/policy-pod.ts';
import { ip, TestCluster } from './cluster.testkit.ts';

const [CLIENT, SERVER] = ['10.244.1.5', '10.244.2.7'];

let cluster: TestCluster;
let client: ReturnType<TestCluster['pod']>;

function enforce(actions: readonly ('Log' | 'Allow' | 'Deny')[]): void {
  const node = cluster.node(2);
  const ingress = actions.map((action) => ({ action, protocol: 'UDP', destination: { ports: [80] } }));
  const policies = calicoPoliciesOf([{ kind: 'GlobalNetworkPolicy', metadata: { name: 'a' }, spec: { ingress } }], []);
  const pod = policyPodOf({ metadata: { uid: 'a', namespace: 'n', name: 'a' }, status: { podIP: SERVER } });
  const engine = new PolicyEngine({
    memory: node.root.memory,
    isNodeAddress: () => false,
    log: policyLog(node),
  });
  node.setPolicy(engine);
  engine.program(
    new Map([[ip(SERVER), new PolicyCompiler({ policies, pods: [pod], namespaces: new Map() }).endpoint(pod)!]]),
  );
}

const dmesg = (...words: string[]) => nodeKernelView(cluster.node(2)).run(['dmesg', ...words]);

beforeEach(() => {
  cluster = new TestCluster(2, 1, { traced: false });
  client = cluster.pod(CLIENT);
  cluster.udpServer(cluster.pod(SERVER).host, 80, 'server');
});

test('a connection that is allowed has one line, whatever follows in it', () => {
  enforce(['Log', 'Allow']);
  expect(cluster.ask(client.host, SERVER, 80).answer).not.toBeNull();
  const { stdout } = dmesg();
  expect(stdout).toMatch(
    /^\[ +\d+\.\d{6}\] calico-packet: IN=flannel\.1 OUT=cni0 MAC=(?:[0-9a-f]{2}:){12}08:00 SRC=10\.244\.1\.5 DST=10\.244\.2\.7 LEN=\d+ TOS=0x00 PREC=0x00 TTL=62 ID=\d+ (DF )?PROTO=UDP SPT=\d+ DPT=80 LEN=\d+ \n$/,
  );
});

test('what is denied is logged first, once for each Log before it, and without one there is nothing', () => {
  enforce(['Log', 'Log', 'Deny', 'Log']);
  expect(cluster.ask(client.host, SERVER, 80).answer).toBeNull();
  expect(dmesg('-t').stdout.match(/DPT=80/g)).toHaveLength(2);
  enforce(['Deny']);
  cluster.ask(client.host, SERVER, 80);
  expect(dmesg().stdout.match(/DPT=80/g)).toHaveLength(2);
});

test('dmesg clears, follows, and says what it does not know', () => {
  cluster.node(2).kernelLog.add('one');
  expect(dmesg('-c').stdout).toMatch(/ one\n$/);
  expect(dmesg().stdout).toBe('');
  cluster.node(2).kernelLog.add('two');
  const following = dmesg('-w');
  expect(following.stdout).toMatch(/ two\n$/);
  cluster.node(2).kernelLog.add('three');
  expect(nodeKernelView(cluster.node(2)).run(following.next!).stdout).toMatch(/^\[ +\d+\.\d{6}\] three\n$/);
  expect(dmesg('-T').stdout).toMatch(/^\[\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\] two\n/);
  expect(dmesg('-Tw').stdout).toBe(dmesg('-T').stdout);
  expect(dmesg('-Tw').next).toBeDefined();
  expect(dmesg('-ty')).toMatchObject({ code: 1, stderr: expect.stringContaining("dmesg: invalid option -- 'y'\n") });
  expect(dmesg('--foo')).toMatchObject({ code: 1, stderr: expect.stringContaining("unrecognized option '--foo'") });
  expect(dmesg('constructor')).toMatchObject({ code: 1, stderr: expect.stringContaining('dmesg: bad usage\n') });
});

test('the log forgets its oldest lines', () => {
  const { kernelLog } = cluster.node(2);
  for (let i = 0; i < 5000; i++) kernelLog.add(`line ${i}`);
  const { lines, next } = kernelLog.since(0);
  expect(lines.length).toBeLessThanOrEqual(4096);
  expect([lines.at(-1)?.text, next]).toEqual(['line 4999', 5000]);
});
