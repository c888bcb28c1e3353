import { describe, expect, it } from 'vitest';
import { defaultCorefile } from '../services/controller-manager/bootstrap/corefile.ts';
import { CorefileError, parseCorefile } from './corefile.ts';
import { testServer } from './server.testkit.ts';
import { addressOfReverse, parseServerKey } from './zone.ts';

const parse = (text: string, environment = {}) =>
  parseCorefile(text, {
    file: 'Corefile',
    environment,
    readImport: (path) => (path === 'extra' ? [{ file: 'extra', text: 'whoami\n' }] : []),
  });

describe('Corefile', () => {
  it('reads the default one', () => {
    const [block] = parse(defaultCorefile('cluster.local'));
    expect(block?.keys).toEqual(['.:53']);
    expect(block?.directives.map(({ name }) => name)).toEqual([
      'errors',
      'health',
      'ready',
      'kubernetes',
      'prometheus',
      'forward',
      'cache',
      'loop',
      'reload',
      'loadbalance',
    ]);
    expect(block?.directives[3]).toMatchObject({
      words: ['cluster.local', 'in-addr.arpa', 'ip6.arpa'],
      line: 7,
      block: [
        { name: 'pods', words: ['insecure'] },
        { name: 'fallthrough', words: ['in-addr.arpa', 'ip6.arpa'] },
        { name: 'ttl', words: ['30'] },
      ],
    });
  });

  it.each([
    ['comments and empty lines', '. { # all\n\n  log # every query\n}', [['.', ['log']]]],
    [
      'several blocks and keys',
      'a.org, b.org:1053 {\n log\n}\nc.org d.org {\n whoami\n}',
      [
        ['a.org b.org:1053', ['log']],
        ['c.org d.org', ['whoami']],
      ],
    ],
    ['keys over several lines', 'a.org,\nb.org {\n log\n}', [['a.org b.org', ['log']]]],
    ['a block on one line', '. { log }', [['.', ['log']]]],
    ['environment variables', '{$ZONE}:{%PORT%} {\n log\n}', [['lab.org:53', ['log']]]],
    ['snippets', '(basic) {\n errors\n log\n}\n. {\n import basic\n whoami\n}', [['.', ['errors', 'log', 'whoami']]]],
    ['imported files', '. {\n import extra\n}', [['.', ['whoami']]]],
    ['a pattern without files', '. {\n log\n import /etc/coredns/*.server\n}', [['.', ['log']]]],
  ])('%s', (_, text, expected) => {
    const found = parse(text, { ZONE: 'lab.org', PORT: '53' }).map(({ keys, directives }) => [
      keys.join(' '),
      directives.map(({ name }) => name),
    ]);
    expect(found).toEqual(expected);
  });

  it('keeps quoted words whole', () => {
    const [block] = parse('. {\n template IN A {\n answer "{{ .Name }} 60 IN A \\"1\\" # no comment"\n }\n}');
    expect(block?.directives[0]?.block?.[0]?.words).toEqual(['{{ .Name }} 60 IN A "1" # no comment']);
  });

  it.each([
    ['. {\n log\n', "Corefile:1 - Error during parsing: the block of '.' is not closed: expected '}'"],
    ['.\nlog', "Corefile:2 - Error during parsing: expected '{' after '.', not 'log'"],
    ['.', "Corefile:1 - Error during parsing: expected '{' after '.'"],
    ['{\n log\n}', "Corefile:1 - Error during parsing: expected a zone such as '.:53' before '{'"],
    ['}', "Corefile:1 - Error during parsing: expected a zone such as '.:53', not '}'"],
    ['. {\n {\n }\n}', "Corefile:2 - Error during parsing: expected the name of a plugin or property, not '{'"],
    ['. {\n import\n}', "Corefile:2 - Error during parsing: 'import' needs the name of a snippet or a file pattern"],
    [
      '. {\n import nothing\n}',
      "Corefile:2 - Error during parsing: there is no snippet and no file 'nothing' to import",
    ],
    ['(a) {\n import a\n}\n. {\n import a\n}', "Corefile:2 - Error during parsing: imports lead in a circle at 'a'"],
    [
      '. {\n log "open\n}',
      'Corefile:2 - Error during parsing: the quote of "open is not closed: expected \'"\' on the same line',
    ],
  ])('refuses %j', (text, message) => {
    expect(() => parse(text)).toThrow(
      new CorefileError({ file: 'Corefile', line: 0 }, '').constructor as typeof CorefileError,
    );
    expect(() => parse(text)).toThrow(message);
  });

  it.each([
    ['. {\n nosuch\n}', "Corefile:2 - Error during parsing: Unknown directive 'nosuch': expected one of acl, any"],
    ['. {\n cache nonsense/x\n}', "Corefile:2 - Error during parsing: 'nonsense/x' is neither a zone nor a network"],
    [
      '. {\n cache {\n success x\n }\n}',
      "Corefile:3 - Error during parsing: 'success x' is not understood: expected a whole number from 1 to 10000000 instead of 'x'",
    ],
    [
      '. {\n kubernetes {\n pods some\n }\n}',
      "Corefile:3 - Error during parsing: 'pods some' is not understood: expected one of disabled, insecure, verified",
    ],
    ['. {\n kubernetes {\n foo\n }\n}', "plugin/kubernetes: Corefile:3 - Error during parsing: unknown property 'foo'"],
    ['. {\n kubernetes {\n ttl 4000\n }\n}', 'a whole number from 0 to 3600'],
    ['. {\n forward\n}', 'FROM TO...'],
    ['. {\n forward . nowhere\n}', "'nowhere' is neither an address such as 10.96.5.53:53 nor a file"],
    ['. {\n reload 1s\n}', 'an interval of at least 2s'],
    ['. {\n health here\n}', 'an address such as :8080'],
    ['. {\n log . {\n class some\n }\n}', 'the classes success, denial, error, all'],
    ['. {\n loadbalance best\n}', "'round_robin'"],
    [
      '. {\n whoami\n}\n. {\n whoami\n}',
      'Corefile:4 - Error during parsing: cannot serve dns://.:53 - it is already defined',
    ],
    ['tls://a.org {\n whoami\n}', "'tls://' is not served here"],
    ['(a) {\n whoami\n}\n(a) {\n any\n}', "Corefile:4 - Error during parsing: the snippet '(a)' is there already"],
    [
      '(a) {\n whoami\n}\n. {\n import a b\n}',
      "Corefile:5 - Error during parsing: 'import a b': expected one argument",
    ],
    [
      '. {\n cache\n log\n cache 30\n}',
      'plugin/cache: Corefile:4 - Error during parsing: this plugin can only be used once per Server Block',
    ],
    ['. {\n debug on\n}', "'debug on' is not understood: expected no argument"],
    [
      '. {\n kubernetes {\n  multicluster a.b\n }\n}',
      "plugin/kubernetes: Corefile:3 - Error during parsing: 'multicluster' needs ServiceImports",
    ],
    ['. {\n kubernetes {\n  labels a in (\n }\n}', 'plugin/kubernetes: Corefile:3 - Error during parsing: '],
    ['. {\n template IN NOPE {\n }\n}', "a record type such as A instead of 'NOPE'"],
    ['. {\n template XX A {\n }\n}', 'a class of IN, CH, CS, HS, ANY'],
    ['. {\n cache {\n  servfail 6m\n }\n}', 'at most 5m'],
    ['. {\n cache {\n  serve_stale 1h never\n }\n}', "'immediate' or 'verify'"],
    ['. {\n forward . 1.2.3.4:99999\n}', "'1.2.3.4:99999' is neither an address"],
    ['. {\n forward . 1.2.3.4 {\n  health_check 0s\n }\n}', 'a duration of more than 0s'],
    ['. {\n forward . 1.2.3.4 {\n  health_check 1s domain\n }\n}', 'DURATION [no_rec] [domain FQDN]'],
    ['. {\n forward . 1.2.3.4 {\n  force_tcp\n  prefer_udp\n }\n}', 'exclude each other'],
    ['fd00:zz::/32 {\n whoami\n}', "'fd00:zz::/32' is not a network such as fd00:10::/32"],
  ])('stops at %j', async (corefile, message) => {
    await expect(testServer({ corefile })).rejects.toThrow(message);
  });
});

describe('zones', () => {
  it.each([
    ['.', [{ zone: '', port: 53 }]],
    ['.:1053', [{ zone: '', port: 1053 }]],
    ['dns://Lab.Example.:54', [{ zone: 'lab.example', port: 54 }]],
    ['10.0.0.0/8', [{ zone: '10.in-addr.arpa', port: 53 }]],
    ['192.168.1.0/24:55', [{ zone: '1.168.192.in-addr.arpa', port: 55 }]],
    [
      '10.244.0.0/15',
      [
        { zone: '244.10.in-addr.arpa', port: 53 },
        { zone: '245.10.in-addr.arpa', port: 53 },
      ],
    ],
  ])('%s', (key, expected) => {
    expect(parseServerKey(key, { file: 'Corefile', line: 1 })).toEqual(expected);
  });

  it.each([
    ['5.1.244.10.in-addr.arpa', '10.244.1.5'],
    ['256.1.244.10.in-addr.arpa', undefined],
    ['1.244.10.in-addr.arpa', undefined],
    [`${'0.'.repeat(31)}1.ip6.arpa`, '1000:0000:0000:0000:0000:0000:0000:0000'],
  ])('address of %s', (name, expected) => {
    expect(addressOfReverse(name)).toBe(expected);
  });
});
