// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are shell scripts
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startTestContainer } from '../container.testkit.ts';
import { POSIX_CASES } from './posix-cases.testkit.ts';

const { container, run } = startTestContainer();
let folders = 0;

async function runFresh(script: string): Promise<{ stdout: string; stderr: string; code: number }> {
  folders += 1;
  container.view.files.mkdir(`/tmp/case${folders}`, { recursive: true });
  const cd = `cd /tmp/case${folders}; OLDPWD=; `;
  return run(['sh', '-c', `${cd}${script}`]);
}

const posixCases = POSIX_CASES.map(([script, stdout, status = 0]) => ({ script, stdout, status }));

describe('POSIX cases', () => {
  it.each(posixCases)('$script', async ({ script, stdout, status }) => {
    const result = await runFresh(script);
    expect(result.stdout).toBe(stdout);
    expect(result.code).toBe(status);
  });
});

const hasDash = spawnSync('dash', ['-c', ':']).status === 0;

describe('the machine’s own dash agrees', () => {
  it('has dash, or says that it has not', (context) => {
    if (!hasDash) context.skip('dash is not installed: no differential check');
    expect(hasDash).toBe(true);
  });

  it.runIf(hasDash).each(posixCases)('$script', ({ script, stdout, status }) => {
    const cwd = mkdtempSync(join(tmpdir(), 'dash-'));
    try {
      const result = spawnSync('dash', ['-c', script], {
        cwd,
        encoding: 'utf8',
        env: { PATH: process.env.PATH, HOME: cwd },
      });
      expect(result.stdout).toBe(stdout);
      expect(result.status).toBe(status);
    } finally {
      rmSync(cwd, { recursive: true });
    }
  });
});

/** What busybox and bash do beyond POSIX, and what POSIX leaves open. Standard error is looked at too. */
type OwnCase = readonly [script: string, stdout: string, stderr: string, status?: number];
const OWN_CASES: readonly OwnCase[] = [
  ['x="1+1"; echo $((x*2))', '4\n', ''],
  ['nosuchcommand', '', 'sh: nosuchcommand: not found\n', 127],
  ['/no/such', '', 'sh: /no/such: not found\n', 127],
  ['touch f; ./f', '', 'sh: ./f: Permission denied\n', 126],
  ['cat < nofile', '', "sh: can't open nofile: no such file\n", 1],
  ['echo x > /no/dir/f', '', "sh: can't create /no/dir/f: nonexistent directory\n", 1],
  ['if', '', "sh: syntax error: expected 'then'\n", 2],
  ['echo )', '', "sh: syntax error: unexpected token ')'\n", 2],
  ['set -u; echo $nope', '', 'sh: nope: parameter not set\n', 2],
  ['echo ${x:?custom}', '', 'sh: x: custom\n', 2],
  ['readonly r=1; r=2; echo never', '', 'sh: r: is read only\n', 2],
  ['echo $((1/0))', '', 'sh: divide by zero\n', 2],
  ['set -x; x="a b"; echo "$x" c', 'a b c\n', "+ x='a b'\n+ echo 'a b' c\n"],
  ['set -o pipefail; false | true', '', '', 1],
  ['x=abcabc; echo ${x/b/X} ${x//b/X} ${x:1:2} ${x: -2} ${x^^} ${x/#a/_}', 'aXcabc aXcaXc bc bc ABCABC _bcabc\n', ''],
  ['[[ abc == a* && -n x ]] && echo yes', 'yes\n', ''],
  ['for ((i=0; i<3; i++)); do echo $i; done', '0\n1\n2\n', ''],
  ['((3 > 2)) && echo yes', 'yes\n', ''],
  ['cat <<< "here $((1+1))"', 'here 2\n', ''],
  ['echo -n a; echo -e "b\\tc"; echo -en "d\\n"', 'ab\tc\nd\n', ''],
  ['echo hi &> f; cat f', 'hi\n', ''],
  ['printf "a,b" | { IFS=, read -r -d "" x y; echo $y; }', 'b\n', ''],
  ['bash -c "echo {1..3} {a,b}{c,d}"', '1 2 3 ac ad bc bd\n', ''],
  ['echo {1..3}', '{1..3}\n', ''],
  ['bash -c nosuch', '', 'bash: nosuch: command not found\n', 127],
  ['printf "read x\\nvalue\\necho got \\$x\\n" | sh', 'got value\n', ''],
  ['while true; do echo tick; sleep 0.01; done | head -n 3', 'tick\ntick\ntick\n', ''],
  ['f() { cat; }; printf "through\\n" | f', 'through\n', ''],
  ['(trap "echo term; exit 5" TERM; sleep 100 & wait) & sleep 0.05; kill $!; wait $!; echo $?', 'term\n5\n', ''],
  ['timeout 0.05 sleep 100; echo $?', '124\n', ''],
  ['env -i A=1 sh -c "echo \\$A\\$HOME"', '1\n', ''],
  ['env | grep ^HOSTNAME=', 'HOSTNAME=client\n', ''],
  ['echo /bin/s[h]; ls /bin/sh', '/bin/sh\n/bin/sh\n', ''],
  ['time true', '', expect.stringMatching(/^real\t0m 0\.\d\ds\n/)],
  ['x=$(cat /etc/hostname); echo "$x"', 'client\n', ''],
  ['echo out > /dev/stdout; echo err > /dev/stderr; echo gone > /dev/null', 'out\n', 'err\n'],
  ['head -c 4 /dev/zero | od -An -tx1', ' 00 00 00 00\n', ''],
  ['sleep 100 & jobs; kill %1; wait', '[1]+ Running                 sleep 100\n', ''],
  ['echo $0 $# ; set -- $(seq 3); echo $*', 'sh 0\n1 2 3\n', ''],
  ['ulimit -n; umask 077; umask', 'unlimited\n0077\n', ''],
  ['i=0; while :; do i=$((i+1)); [ $i -ge 2000 ] && break; done; echo $i', '2000\n', ''],
];

const ownCases = OWN_CASES.map(([script, stdout, stderr, status = 0]) => ({ script, stdout, stderr, status }));

describe('beyond POSIX', () => {
  it.each(ownCases)('$script', async ({ script, stdout, stderr, status }) => {
    const result = await runFresh(script);
    expect(result).toEqual({ stdout, stderr, code: status });
  });
});
