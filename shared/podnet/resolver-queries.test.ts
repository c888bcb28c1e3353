/**
 * Which questions a look-up sends, in order, against what glibc 2.36 sent to a server with the same records (getaddrinfo
 * for both families with the same resolv.conf; a question of A and AAAA is one line).
 */
import { afterEach, describe, expect, it } from 'vitest';
import { serveFakeDns } from '../../node-agent/images/commands/dns/fake-dns-server.testkit.ts';
import { type PodPair, podPair, RIGHT_ADDRESS } from './pod-pair.testkit.ts';
import { ResolveError, Resolver } from './resolver.ts';

interface LookUp {
  readonly name: string;
  /** The name of the questions; `name xN` when it is asked N times. */
  readonly questions: readonly string[];
  /** ENOTFOUND or EAI_AGAIN; an address otherwise. */
  readonly result: string;
  readonly conf?: string;
}

const POD_CONF = 'search default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n';
const SVC = 'default.svc.cluster.local';

const searched = (name: string): string[] => [
  `${name}.default.svc.cluster.local`,
  `${name}.svc.cluster.local`,
  `${name}.cluster.local`,
];

const LOOK_UPS: readonly LookUp[] = [
  { name: 'web', questions: [`web.${SVC}`], result: '10.96.0.5' },
  { name: 'web.default', questions: [`web.default.${SVC}`, `web.${SVC}`], result: '10.96.0.5' },
  { name: `web.${SVC}`, questions: [...searched(`web.${SVC}`), `web.${SVC}`], result: '10.96.0.5' },
  { name: `web.${SVC}.`, questions: [`web.${SVC}`], result: '10.96.0.5' },
  { name: 'dual', questions: [`dual.${SVC}`], result: '10.96.0.6 fd00::6' },
  { name: 'ext', questions: [`ext.${SVC}`], result: '93.184.216.34' },
  { name: 'example.org', questions: [...searched('example.org'), 'example.org'], result: '93.184.216.34' },
  { name: 'nosuch', questions: [...searched('nosuch'), 'nosuch'], result: 'ENOTFOUND' },
  // A name without addresses is no reason to stop.
  {
    name: 'dns-version.cluster.local',
    questions: [...searched('dns-version.cluster.local'), 'dns-version.cluster.local'],
    result: 'ENOTFOUND',
  },
  { name: 'a.b.c.d.e.f', questions: ['a.b.c.d.e.f', ...searched('a.b.c.d.e.f')], result: 'ENOTFOUND' },
  { name: 'servfail.', questions: ['servfail x2'], result: 'EAI_AGAIN' },
  { name: 'refused.', questions: ['refused x2'], result: 'EAI_AGAIN' },
  {
    name: 'servfail',
    questions: [...searched('servfail'), 'servfail'].map((name) => `${name} x2`),
    result: 'EAI_AGAIN',
  },
  {
    name: 'silentweb',
    conf: 'search silent.x cluster.local\noptions ndots:5 timeout:1 attempts:2\n',
    questions: ['silentweb.silent.x x2', 'silentweb x2'],
    result: 'EAI_AGAIN',
  },
  {
    name: 'silentweb',
    conf: 'search silent.x cluster.local\noptions ndots:5 timeout:0 attempts:1\n',
    questions: ['silentweb.silent.x', 'silentweb'],
    result: 'EAI_AGAIN',
  },
  { name: 'nosuch', conf: 'search .\noptions ndots:1\n', questions: ['nosuch'], result: 'ENOTFOUND' },
  { name: 'web', conf: `search ${SVC}\noptions ndots:0\n`, questions: ['web', `web.${SVC}`], result: '10.96.0.5' },
  { name: 'web', conf: '', questions: ['web'], result: 'ENOTFOUND' },
  {
    name: 'web',
    conf: `search a.example\nsearch ${SVC}\ndomain cluster.local\n`,
    questions: ['web.cluster.local', 'web'],
    result: 'ENOTFOUND',
  },
];

let pods: PodPair;
afterEach(() => pods.close());

function resolver(conf: string): Resolver {
  return new Resolver(pods.left, {
    resolvConf: () => `nameserver ${RIGHT_ADDRESS}\n${conf}`,
    hosts: () => '127.0.0.1 localhost\n',
  });
}

/** `UDP name A`, `UDP name AAAA`, ... to names, with a count for those asked more than once in a row. */
function questionNames(asked: readonly string[]): string[] {
  const names: { name: string; count: number }[] = [];
  for (const question of asked) {
    const [, name = '', type] = question.split(' ');
    if (type !== 'A') continue;
    const last = names.at(-1);
    if (last?.name === name) last.count += 1;
    else names.push({ name, count: 1 });
  }
  return names.map(({ name, count }) => (count === 1 ? name : `${name} x${count}`));
}

describe('a look-up', () => {
  it.each(LOOK_UPS)('of $name asks as glibc does: $questions', async ({ name, conf, questions, result }) => {
    pods = podPair();
    const { asked } = await serveFakeDns(pods.right);
    const outcome = await resolver(conf ?? POD_CONF)
      .lookup(name)
      .then(
        (addresses) => addresses.map(({ address }) => address).join(' '),
        (error: unknown) => (error instanceof ResolveError ? error.code : String(error)),
      );
    expect(questionNames(asked)).toEqual(questions);
    expect(outcome).toBe(result);
    const families = asked.map((question) => question.split(' ').at(-1));
    expect(families.filter((type) => type === 'A')).toHaveLength(families.length / 2);
  });

  it('tells the canonical name and the names that lead to it', async () => {
    pods = podPair();
    await serveFakeDns(pods.right);
    expect(await resolver(POD_CONF).lookupNamed('ext')).toEqual({
      canonicalName: 'example.org',
      aliases: [`ext.${SVC}`],
      addresses: [{ address: '93.184.216.34', family: 4 }],
    });
  });

  it('finds the name of an address in /etc/hosts, then by PTR', async () => {
    pods = podPair();
    await serveFakeDns(pods.right);
    expect(await resolver(POD_CONF).lookupAddress('127.0.0.1')).toBe('localhost');
    expect(await resolver(POD_CONF).lookupAddress('10.96.0.5')).toBe(`web.${SVC}`);
    expect(await resolver(POD_CONF).lookupAddress('10.96.0.77')).toBeUndefined();
  });

  it('asks the next server at once when one refuses', async () => {
    pods = podPair();
    const { asked } = await serveFakeDns(pods.right);
    const conf = new Resolver(pods.left, {
      resolvConf: () => `nameserver 10.244.1.2\nnameserver ${RIGHT_ADDRESS}\n${POD_CONF}`,
      hosts: () => '',
    });
    expect(await conf.lookupOne('web')).toBe('10.96.0.5');
    expect(questionNames(asked)).toEqual([`web.${SVC}`]);
  });
});
