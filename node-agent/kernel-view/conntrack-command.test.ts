/** Filters and words of `conntrack` as conntrack-tools 1.4.7 has them. */
import { beforeEach, describe, expect, it } from 'vitest';
import { TestCluster } from '../../test/flow/cluster.testkit.ts';
import type { CommandOutput } from './command-output.ts';
import { conntrackCommand } from './conntrack-command.ts';

let cluster: TestCluster;

/** Two datagrams and an echo from one pod, a datagram from another. */
beforeEach(() => {
  cluster = new TestCluster(2, 1, { traced: false });
  const [one, other, server] = ['10.244.1.5', '10.244.1.6', '10.244.2.7'].map((address) => cluster.pod(address).host);
  cluster.udpServer(server!, 53);
  cluster.udpServer(server!, 80);
  cluster.ask(one!, '10.244.2.7', 53, 1000);
  cluster.ask(one!, '10.244.2.7', 80, 1001);
  cluster.ask(other!, '10.244.2.7', 53, 1000);
  cluster.ping(one!, { to: '10.244.2.7' });
});

function conntrack(words: string): CommandOutput {
  return conntrackCommand(cluster.node(1), words.split(' '));
}

function sources(words: string): string[] {
  return conntrack(words)
    .stdout.split('\n')
    .slice(0, -1)
    .map((line) => /^(\w+).* src=(\S+) dst=\S+ (?:sport=(\d+))?/.exec(line)!.slice(1).join(' '));
}

describe('conntrack -L', () => {
  it.each([
    ['-L -p icmp', 1],
    ['-L -p 17', 3],
    ['-L -p udp --dport 53', 2],
    ['-L -p udp --dport 53 -s 10.244.1.5', 1],
    ['-L -s 10.244.1.6', 1],
    ['-L -d 10.244.2.0/24', 4],
    ['-L -q 10.244.1.5', 3],
    ['-L -r 10.244.2.7 -p udp', 3],
    ['-L -u SEEN_REPLY', 4],
    ['-L -u ASSURED', 0],
    ['-L -f ipv6', 0],
    ['-L -p tcp --state ESTABLISHED', 0],
  ])('%s', (words, expected) => {
    const { stderr, code } = conntrack(words);
    expect(sources(words)).toHaveLength(expected);
    expect([stderr, code]).toEqual([
      `conntrack v1.4.8 (conntrack-tools): ${expected} flow entries have been shown.\n`,
      0,
    ]);
  });

  it('prints the family with -o extended', () => {
    expect(conntrack('-L -p icmp -o extended').stdout).toMatch(/^ipv4 {5}2 icmp {5}1 \d+ src=10\.244\.1\.5 /);
  });

  it.each([
    ['-L -p bogus', "`bogus' unsupported protocol"],
    ['-L -s bogus', "Invalid IP address `bogus'"],
    ['-L --dport 53', "unknown option `--dport'"],
    ['-L -Z', "unknown option `-Z'"],
  ])('%s says what is wrong', (words, message) => {
    expect(conntrack(words)).toEqual({
      stdout: '',
      stderr: `conntrack v1.4.8 (conntrack-tools): ${message}\nTry \`conntrack -h' or 'conntrack --help' for more information.\n`,
      code: 2,
    });
  });
});

describe('conntrack -D', () => {
  it('deletes what fits and prints it', () => {
    const { stdout, stderr, code } = conntrack('-D -p udp --dport 53 -s 10.244.1.5');
    expect(stdout).toMatch(/^udp {6}17 \d+ src=10\.244\.1\.5 dst=10\.244\.2\.7 sport=1000 dport=53 .*\n$/);
    expect([stderr, code]).toEqual(['conntrack v1.4.8 (conntrack-tools): 1 flow entries have been deleted.\n', 0]);
    expect(conntrack('-C').stdout).toBe('3\n');
  });

  it('fails where nothing fits', () => {
    expect(conntrack('-D -s 10.9.9.9')).toEqual({
      stdout: '',
      stderr: 'conntrack v1.4.8 (conntrack-tools): 0 flow entries have been deleted.\n',
      code: 1,
    });
  });

  it('-F empties the table', () => {
    expect(conntrack('-F').stderr).toContain('has been emptied');
    expect(conntrack('-C').stdout).toBe('0\n');
  });
});

describe('conntrack -E', () => {
  /** What came since the command that is to be continued. */
  const more = ({ next }: CommandOutput): CommandOutput => conntrackCommand(cluster.node(1), next!.slice(1));
  const connect = (): void => {
    const [client, , server] = ['default/pod-10.244.1.5', '', 'default/pod-10.244.2.7'].map(
      (id) => cluster.node(1).pods.get(id)?.host ?? cluster.node(2).pods.get(id)?.host,
    );
    server!.tcp.listen({ port: 8080 });
    client!.tcp.connect({ remoteAddress: 0x0af4_0207, remotePort: 8080, localPort: 5000 });
    cluster.advance(100_000);
  };
  const tuples = 'src=10.244.1.5 dst=10.244.2.7 sport=5000 dport=8080';
  const back = 'src=10.244.2.7 dst=10.244.1.5 sport=8080 dport=5000';

  it('shows connections as they come, change and go', () => {
    const begun = conntrack('-E');
    expect(begun.stdout).toBe('');
    connect();
    const opened = more(begun);
    expect(opened.stdout).toBe(
      `    [NEW] tcp      6 120 SYN_SENT ${tuples} [UNREPLIED] ${back}\n` +
        ` [UPDATE] tcp      6 60 SYN_RECV ${tuples} ${back}\n` +
        ` [UPDATE] tcp      6 86400 ESTABLISHED ${tuples} ${back} [ASSURED]\n`,
    );
    conntrack('-D -p tcp');
    const gone = more(opened);
    expect(gone.stdout).toMatch(/^\[DESTROY\] tcp {6}6 \d+ ESTABLISHED src=10\.244\.1\.5 .* \[ASSURED\]\n$/);
    expect(more(gone).stdout).toBe('');
  });

  it('shows the kinds and the connections that were asked for', () => {
    const begun = [
      conntrack('-E -e NEW'),
      conntrack('-E -p udp'),
      conntrack('-E -e DESTROY,UPDATES -p tcp --dport 8080'),
    ];
    connect();
    expect(begun.map((output) => more(output).stdout.split('\n').length - 1)).toEqual([1, 0, 2]);
    expect(conntrack('-E -e BOGUS')).toMatchObject({ code: 2, stdout: '' });
  });

  it('keeps nothing for who does not come back', () => {
    const begun = conntrack('-E');
    cluster.advance(10_000_000);
    connect();
    expect(cluster.node(1).conntrack.table.observer).toBeNull();
    expect(more(begun).stdout).toBe('');
  });
});
