/** The commands of labs/network-policy, as they stand there, on a cluster that is there already. */
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TestCluster } from './cluster.ts';
import { documentedCommands, scriptOf } from './documented-commands.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** `explain` exits with 1 where a packet would not pass. What is to be refused may be asked before the policy is in force. */
function asTested(line: string): string | undefined {
  if (/podwire\.mjs (up|down) /.test(line)) return undefined;
  if (line.startsWith('export ')) return 'export KUBECONFIG=$(cli/bin/podwire.mjs kubeconfig)';
  const [, refused, words] = /^(.+) \|\| (echo .+)$/.exec(line) ?? [];
  if (refused !== undefined) return `for try in $(seq 60); do ${refused} || { ${words}; break; }; sleep 0.5; done`;
  return / explain /.test(line) ? `${line} || [ $? = 1 ]` : line;
}

const cluster = await TestCluster.start({ nodes: 2, arguments: ['--cni', 'calico'] });

describe.skipIf(cluster === undefined)('labs/network-policy', () => {
  afterAll(() => cluster?.down());

  it('shows what it says', async () => {
    const commands = documentedCommands(join(ROOT, 'labs/network-policy/README.md')).flatMap(
      (line) => asTested(line) ?? [],
    );
    const { code, stdout, stderr } = await cluster!.shell(scriptOf(commands));
    const all = `${stdout}\n${stderr}`;
    expect(code, all).toBe(0);
    expect(stdout, all).toMatch(/^shop\/frontend +shop\/db +any +all +denied +NetworkPolicy shop\/deny-all$/m);
    for (const words of ['timed out', 'still not', 'as it should be', 'dropped']) {
      expect(stdout.split('\n'), all).toContain(words);
    }
    const verdicts = [...stdout.matchAll(/^\S+ -> svc\/(\S+) \(\w+\): (yes|no)/gm)].map(([, to, verdict]) => [
      to,
      verdict,
    ]);
    expect(verdicts).toEqual([
      ['backend.shop:80', 'no'],
      ['kube-dns.kube-system:53', 'no'],
      ['db.shop:5432', 'no'],
      ['db.shop:5432', 'no'],
      ['db.shop:5432', 'yes'],
    ]);
  });
});
