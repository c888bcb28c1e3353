// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are shell scripts
import { describe, expect, it } from 'vitest';
import { startTestContainer } from '../container.testkit.ts';

const { container, sh } = startTestContainer();
let folders = 0;

/** Script, standard output, exit status (0 by default). */
type UtilityCase = readonly [script: string, stdout: string, status?: number];

const CASES: readonly UtilityCase[] = [
  ['printf "b\\na\\nc\\na\\n" | sort', 'a\na\nb\nc\n'],
  [
    'printf "10\\n9\\n2\\n" | sort -n; printf "10\\n9\\n2\\n" | sort -rn | head -1; printf "b\\na\\nb\\n" | sort -u',
    '2\n9\n10\n10\na\nb\n',
  ],
  ['printf "x 2\\ny 1\\n" | sort -k2n; printf "a:3\\nb:1\\n" | sort -t: -k2', 'y 1\nx 2\nb:1\na:3\n'],
  ['printf "a\\na\\nb\\na\\n" | uniq -c | tr -s " "; printf "a\\na\\nb\\n" | uniq -d', ' 2 a\n 1 b\n 1 a\na\n'],
  ['printf "web-1\\nweb-2\\nweb-1\\n" | sort | uniq -c | sort -rn | head -1 | tr -s " "', ' 2 web-1\n'],
  [
    'echo a:b:c | cut -d: -f2; echo a:b:c | cut -d: -f1,3; echo abcdef | cut -c2-4; echo nodelim | cut -d: -f1',
    'b\na:c\nbcd\nnodelim\n',
  ],
  [
    'echo hello | tr a-z A-Z; echo "a  b" | tr -s " "; echo h3ll0 | tr -d 0-9; echo abc | tr -c "a\\n" "-"',
    'HELLO\na b\nhll\na--\n',
  ],
  [
    'printf "1\\n2\\n3\\n4\\n" | head -n 2; printf "1\\n2\\n3\\n" | tail -n 1; printf "1\\n2\\n3\\n" | tail -n +2; printf abc | head -c 2',
    '1\n2\n3\n2\n3\nab',
  ],
  ['printf "a b\\nc\\n" > f; wc -l < f; wc -w f; wc -c f; wc f | tr -s " "', '2\n3 f\n6 f\n 2 3 6 f\n'],
  ['printf "1\\n2\\n" | tee a b | cat; cat a b', '1\n2\n1\n2\n1\n2\n'],
  [
    'printf "foo\\nbar\\nfoobar\\n" | grep foo; printf "foo\\nbar\\n" | grep -v foo; printf "a\\nA\\n" | grep -ic a',
    'foo\nfoobar\nbar\n2\n',
  ],
  ['echo abc | grep -q b && echo found; echo abc | grep x; echo $?', 'found\n1\n'],
  [
    'printf "a1b22\\n" | grep -oE "[0-9]+"; echo "a.b" | grep -F .; echo ab | grep "a\\|x"; echo aab | grep -E "^a{2}b$"',
    '1\n22\na.b\nab\naab\n',
  ],
  [
    'printf "1\\n2\\nx\\n4\\n" | grep -n -A1 -B1 x; mkdir d; echo hit > d/f; ln -s f d/l; grep -r hit d; grep -R hit d; grep -l hit d/f',
    '2-2\n3:x\n4-4\nd/f:hit\nd/f:hit\nd/l:hit\nd/f\n',
  ],
  [
    'echo "hello world" | sed s/world/there/; echo aaa | sed s/a/b/g; echo aaa | sed s/a/b/2; echo ab | sed "s/\\(a\\)\\(b\\)/\\2\\1/"',
    'hello there\nbbb\naba\nba\n',
  ],
  [
    'printf "1\\n2\\n3\\n" | sed -n 2p; printf "1\\n2\\n3\\n" | sed 2d; printf "1\\n2\\n3\\n" | sed "1,2d"; printf "a\\nb\\n" | sed "/a/s/$/!/"',
    '2\n1\n3\n3\na!\nb\n',
  ],
  [
    'echo path/to | sed "s|/|-|g"; echo abc | sed -E "s/(b)/[\\1]/"; echo x | sed "s/x/&&/"; printf "1\\n2\\n" | sed "$ a end"',
    'path-to\na[b]c\nxx\n1\n2\nend\n',
  ],
  [
    'printf "a\\nb\\n" | sed "N;s/\\n/+/"; printf "a\\nb\\n" | sed -e 1i\\\\top -e p | head -3; echo k=v > f; sed -i s/v/w/ f; cat f',
    'a+b\ntop\na\na\nk=w\n',
  ],
  [
    'printf "1\\n2\\n3\\n" | sed 2q; printf "1\\n2\\n3\\n" | sed "\\$!d"; printf "x\\n" | sed "y/x/y/"; printf "a\\nb\\n" | sed -n "/a/,/b/p"',
    '1\n2\n3\ny\na\nb\n',
  ],
  [
    'echo "a b c" | xargs -n1 echo item; printf "x\\ny\\n" | xargs -I{} echo "<{}>"; echo "1 2" | xargs; printf "" | xargs -r echo never',
    'item a\nitem b\nitem c\n<x>\n<y>\n1 2\n',
  ],
  [
    'mkdir -p a/b; touch a/f.txt a/b/g.txt a/h.md; find a -name "*.txt" | sort; find a -type d | sort; find a -maxdepth 1 -type f | sort',
    'a/b/g.txt\na/f.txt\na\na/b\na/f.txt\na/h.md\n',
  ],
  ['touch x y; find . -name x -exec echo got {} \\; ; find . -type f -delete; ls', 'got ./x\n'],
  [
    'touch b a; ls; ls -1 /etc/passwd; mkdir d; touch d/.h d/v; ls d; ls -A d; ls -d d',
    'a\nb\n/etc/passwd\nv\n.h\nv\nd\n',
  ],
  [
    'echo x > f; ls -l f | cut -c1-10; chmod +x f; ls -l f | cut -c1-10; chmod 600 f; stat -c "%a %s %F" f',
    '-rw-r--r--\n-rwxr-xr-x\n600 2 regular file\n',
  ],
  [
    'echo 1 > a; cp a b; mv b c; cat c; mkdir d; cp a c d; ls d; cp -r d e; ls e; rm -r d e; ls',
    '1\na\nc\na\nc\na\nc\n',
  ],
  [
    'ln -s target l; readlink l; echo t > target; cat l; ls -l l | grep -o "l -> target"; rm l; cat target',
    'target\nt\nl -> target\nt\n',
  ],
  ['rm nofile; echo $?; rm -f nofile; echo $?; mkdir d; rm d; echo $?; rmdir d; echo $?', '1\n0\n1\n0\n'],
  [
    'basename /a/b.txt; basename /a/b.txt .txt; dirname /a/b.txt; dirname x; realpath /bin/sh',
    'b.txt\nb\n/a\n.\n/usr/bin/sh\n',
  ],
  [
    'seq 3; seq 2 4; seq 1 2 5; seq -s, 3; seq 3 -1 1; seq -w 9 10',
    '1\n2\n3\n2\n3\n4\n1\n3\n5\n1,2,3\n3\n2\n1\n09\n10\n',
  ],
  [
    'echo hello | base64; echo aGVsbG8K | base64 -d; echo -n abc | md5sum; echo -n abc | sha256sum | cut -c1-8',
    'aGVsbG8K\nhello\n900150983cd24fb0d6963f7d28e17f72  -\nba7816bf\n',
  ],
  ['expr 1 + 2; expr 6 / 2 \\* 3; expr abc : "a\\(.\\)"; expr length hello; expr 1 = 2; echo $?', '3\n9\nb\n5\n0\n1\n'],
  ['date -u -d @0 "+%Y-%m-%d %H:%M:%S"; date -d @86400 +%F', '1970-01-01 00:00:00\n1970-01-02\n'],
  ['whoami; id -u; uname; uname -n; hostname', 'root\n0\nLinux\nclient\nclient\n'],
  [
    'mkdir s; echo 1 > s/a; echo 2 > s/b; tar cf s.tar s; tar tf s.tar; mkdir o; tar xf s.tar -C o; cat o/s/a o/s/b',
    's/\ns/a\ns/b\n1\n2\n',
  ],
  ['mkdir s; echo 1 > s/a; tar czf - s | tar xzf - -C /tmp; cat /tmp/s/a; echo hi | gzip | gunzip', '1\nhi\n'],
  [
    'printf "a\\tb\\n" | cat -A | head -1; printf "x\\n" | cat -n; printf "abc\\n" | rev; printf "1\\n2\\n" | tac',
    'a\tb$\n     1\tx\ncba\n2\n1\n',
  ],
  [
    'printf "1\\n2\\n3\\n" | paste -s -d,; printf "1\\n2\\n" > a; printf "x\\ny\\n" > b; paste a b; comm -12 a a',
    '1,2,3\n1\tx\n2\ty\n1\n2\n',
  ],
  [
    'printf "AB" | od -An -tx1; printf "AB" | hexdump -C | head -1; printf "AB" | xxd -p',
    ' 41 42\n00000000  41 42                                             |AB|\n4142\n',
  ],
  ['which sh cat; which nosuch; echo $?', '/usr/bin/sh\n/usr/bin/cat\n1\n'],
  ['sleep 100 & pidof sleep > /dev/null && pkill sleep; wait $!; echo $?', '143\n'],
  ['f=$(mktemp); [ -f "$f" ] && echo made; d=$(mktemp -d); [ -d "$d" ] && echo dir', 'made\ndir\n'],
  ['printenv HOME; env X=1 printenv X; env -u HOME sh -c "echo \\${HOME-unset}"', '/root\n1\nunset\n'],
  ['cat nofile', '', 1],
  ['du -s /etc/passwd | cut -f2; df / | grep -c overlay', '/etc/passwd\n1\n'],
  // awk
  [
    "echo 'a b c' | awk '{print $2}'; echo a:b | awk -F: '{print $2, $1}'; echo 'a b c' | awk '{print NF, $NF}'",
    'b\nb a\n3 c\n',
  ],
  [
    "printf '1\\n2\\n3\\n' | awk '{s+=$1} END {print s, NR, s/NR}'; awk 'BEGIN {printf \"%05.2f|%s|%d\\n\", 3.14159, \"x\", 7.9}'",
    '6 3 2\n03.14|x|7\n',
  ],
  ["printf 'a 1\\nb 2\\na 3\\n' | awk '{n[$1]+=$2} END {for (k in n) print k, n[k]}' | sort", 'a 4\nb 2\n'],
  [
    "printf 'x\\ny\\nz\\n' | awk 'NR==2'; printf 'ab\\ncd\\n' | awk '/c/ {print \"hit\", $0}'; printf '1\\n5\\n' | awk '$1 > 2 {print}'",
    'y\nhit cd\n5\n',
  ],
  [
    'echo \'k=v\' | awk \'{split($0, p, "="); print p[1], p[2], length($0), toupper(p[1]), substr(p[2],1,1), index($0,"=")}\'',
    'k v 3 K v 2\n',
  ],
  [
    'echo \'aXbXc\' | awk \'{gsub(/X/, "-"); print; sub(/-/, "[&]"); print}\'; awk -v n=3 \'BEGIN {for (i=0;i<n;i++) printf "%d ", i; print ""}\'',
    'a-b-c\na[-]b-c\n0 1 2 \n',
  ],
  [
    'awk \'function f(x) {return x<2 ? 1 : x*f(x-1)} BEGIN {print f(5); while (i<2) i++; print i; if (!("k" in a)) print "none"; print 2^10, 7%3, 1e3, "a" "b"}\'',
    '120\n2\nnone\n1024 1 1000 ab\n',
  ],
  [
    "printf 'start\\n1\\nend\\n2\\n' | awk '/start/,/end/'; printf 'a,b\\n' | awk 'BEGIN{FS=\",\"; OFS=\"-\"} {$1=$1; print}'",
    'start\n1\nend\na-b\n',
  ],
  [
    "printf 'x 1\\n' | awk '{if (match($0, /[0-9]+/)) print RSTART, RLENGTH; $3=\"z\"; print; print $0 ~ /x/, !/q/}'",
    '3 1\nx 1 z\n1 1\n',
  ],
  [
    "printf '3\\n1\\n' | awk '{print | \"sort\"}'; printf 'a\\nb\\n' | awk '{getline x; print $0, x}'; awk 'BEGIN {\"echo cmd\" | getline v; print v; exit 3} END {print \"end\"}'",
    '1\n3\na b\ncmd\nend\n',
    3,
  ],
];

describe('utilities', () => {
  it.each(CASES.map(([script, stdout, status = 0]) => ({ script, stdout, status })))(
    '$script',
    async ({ script, stdout, status }) => {
      folders += 1;
      container.view.files.mkdir(`/tmp/u${folders}`, { recursive: true });
      const result = await sh(`cd /tmp/u${folders}; ${script}`);
      expect(result.stdout).toBe(stdout);
      expect(result.code).toBe(status);
    },
  );

  it('follows a file that grows', async () => {
    const following = sh('echo one > /tmp/log; tail -n +1 -f /tmp/log | head -n 3');
    const appending = sh(
      'while [ ! -s /tmp/log ]; do sleep 0.005; done; for i in $(seq 200); do echo more >> /tmp/log; sleep 0.005; done',
    );
    expect((await following).stdout).toBe('one\nmore\nmore\n');
    await appending;
  });

  it('streams through a pipe of filters', async () => {
    const { stdout } = await sh('yes line | grep -n l | sed s/line/LINE/ | tr L l | head -n 2');
    expect(stdout).toBe('1:lINE\n2:lINE\n');
  });
});
