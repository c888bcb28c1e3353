import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { startTestContainer, type TestContainer } from './container.testkit.ts';
import { emptyVolume, projectedVolume, replaceProjection } from './files/volume.ts';
import { CommandNotStartedError } from './runtime.ts';

/** A client's terminal: types, and waits for what appears on the screen. */
class TestTerminal {
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  screen = '';
  private resized: ((size: { columns: number; rows: number }) => void) | undefined;
  private readonly watchers = new Set<() => void>();

  constructor() {
    this.stdout.on('data', (chunk: Buffer) => {
      this.screen += chunk.toString();
      for (const watcher of this.watchers) watcher();
    });
  }

  get streams(): Parameters<TestContainer['container']['exec']>[1] {
    return {
      stdin: this.stdin,
      stdout: this.stdout,
      stderr: this.stdout,
      terminal: { size: { columns: 80, rows: 24 }, onResize: (listener) => this.watchSize(listener) },
    };
  }

  private watchSize(listener: (size: { columns: number; rows: number }) => void): void {
    this.resized = listener;
  }

  type(text: string): void {
    this.stdin.write(text);
  }

  resize(columns: number, rows: number): void {
    this.resized?.({ columns, rows });
  }

  /** Resolves once the screen shows the text, and forgets everything up to its end. */
  async see(text: string): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (!this.screen.includes(text)) return;
        this.watchers.delete(check);
        resolve();
      };
      this.watchers.add(check);
      check();
    });
    this.screen = this.screen.slice(this.screen.indexOf(text) + text.length);
  }
}

describe('a container', () => {
  it('runs its command, logs both streams, and ends with its exit code', async () => {
    const { container, log } = startTestContainer({ command: ['sh', '-c', 'echo out; echo err >&2; exit 7'] });
    expect(await container.ended).toEqual({ exitCode: 7, signal: undefined });
    expect(log()).toBe('out\nerr\n');
  });

  it('logs as it goes', async () => {
    const test = startTestContainer({ command: ['sh', '-c', 'while true; do echo tick; sleep 0.01; done'] });
    await test.waitForLog(/tick\ntick\ntick\n/);
    test.container.signal('SIGTERM');
    expect(await test.container.ended).toEqual({ exitCode: 143, signal: 15 });
  });

  it('sees the processes of the container whose PID namespace it joins, and ends without them', async () => {
    const target = startTestContainer({ command: ['sleep', '1000'] });
    const debug = startTestContainer({ processes: target.container.view.processes.joined() });
    expect((await debug.sh('ps')).stdout).toMatch(/^ +1 root .* sleep 1000$/m);
    await target.sh('echo theirs >/tmp/note');
    expect((await debug.sh('cat /proc/1/root/tmp/note; ls /tmp; echo x >/proc/1/root/tmp/note')).stdout).toBe(
      'theirs\n',
    );
    expect((await debug.sh('cd /proc/$$ && cat root/etc/hostname')).code).toBe(0);
    debug.container.signal('SIGKILL');
    expect(await debug.container.ended).toMatchObject({ exitCode: 137 });
    expect((await target.sh('ps')).stdout).toMatch(/^ +1 root .* sleep 1000$/m);
    expect((await target.sh('ps')).stdout).not.toContain('idle');
    target.container.signal('SIGKILL');
    expect(await target.container.ended).toMatchObject({ exitCode: 137 });
  });

  it('is killed, with everything in it', async () => {
    const test = startTestContainer({
      command: ['sh', '-c', "trap '' TERM; echo ready; while true; do sleep 0.01; done"],
    });
    await test.waitForLog(/ready/);
    const beside = test.sh('sleep 100');
    test.container.signal('SIGTERM');
    test.container.signal('SIGKILL');
    expect(await test.container.ended).toEqual({ exitCode: 137, signal: 9 });
    expect((await beside).code).toBe(137);
    await expect(test.run(['true'])).rejects.toThrow('container not running');
  });

  it('ends as its trap says', async () => {
    const test = startTestContainer({
      command: ['sh', '-c', "trap 'echo bye; exit 0' TERM; echo ready; sleep 100 & wait"],
    });
    await test.waitForLog(/ready/);
    test.container.signal('SIGTERM');
    expect(await test.container.ended).toEqual({ exitCode: 0, signal: undefined });
    expect(test.log()).toBe('ready\nbye\n');
  });

  it('says what is wrong with a command that is not there', () => {
    const start = (command: string[]) => () => startTestContainer({ command });
    expect(start(['nosuch'])).toThrow(CommandNotStartedError);
    expect(start(['nosuch'])).toThrow('exec: "nosuch": executable file not found in $PATH');
    expect(start(['/no/such'])).toThrow('exec: "/no/such": stat /no/such: no such file or directory');
    expect(start(['/etc/passwd'])).toThrow('exec: "/etc/passwd": permission denied');
  });

  it('puts command and args in the place of the entry point and its arguments', async () => {
    const image = {
      repositories: ['x'],
      entrypoint: ['/bin/echo', 'entry'],
      defaultCommand: ['cmd'],
      programs: { echo: (await import('./shell/builtin-program.ts')).builtinProgram('echo') },
    };
    const output = async (options: object): Promise<string> => {
      const { container, log } = startTestContainer({ image, ...options });
      await container.ended;
      return log();
    };
    expect(await output({})).toBe('entry cmd\n');
    expect(await output({ args: ['a', 'b'] })).toBe('entry a b\n');
    expect(await output({ command: ['echo', 'mine'] })).toBe('mine\n');
    expect(await output({ command: ['echo', 'mine'], args: ['a'] })).toBe('mine a\n');
  });

  it('runs commands beside the main one, with input', async () => {
    const test = startTestContainer();
    expect(await test.run(['cat'], 'through\n')).toEqual({ stdout: 'through\n', stderr: '', code: 0 });
    expect(await test.run(['sh', '-c', 'ps | tail -n +2 | wc -l'])).toMatchObject({ code: 0 });
    await expect(test.run(['bash2'])).rejects.toThrow('executable file not found');
  });

  it('shares volumes between containers, read-only where asked', async () => {
    const shared = emptyVolume();
    const config = projectedVolume({
      'app.conf': { bytes: Buffer.from('v1\n') },
      'nested/key': { bytes: Buffer.from('k'), mode: 0o400 },
    });
    const writer = startTestContainer({ mounts: [{ path: '/data', volume: shared }] });
    const reader = startTestContainer({
      mounts: [
        { path: '/data', volume: shared, readOnly: true },
        { path: '/etc/app', volume: config, readOnly: true },
        { path: '/etc/one.conf', volume: config, subPath: 'app.conf' },
      ],
    });
    await writer.sh('echo hello > /data/file');
    expect((await reader.sh('cat /data/file /etc/app/app.conf /etc/one.conf /etc/app/nested/key')).stdout).toBe(
      'hello\nv1\nv1\nk',
    );
    expect(await reader.sh('echo x > /data/file')).toMatchObject({
      code: 1,
      stderr: "sh: can't create /data/file: Read-only file system\n",
    });
    replaceProjection(config, { 'app.conf': { bytes: Buffer.from('v2\n') } });
    expect((await reader.sh('cat /etc/app/app.conf; ls /etc/app; cat /etc/one.conf')).stdout).toBe(
      'v2\napp.conf\nv1\n',
    );
    expect(
      (await reader.sh('ls -A /etc/app; readlink /etc/app/app.conf; cat /etc/app/..data/app.conf')).stdout,
    ).toMatch(/^\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\.\d+\n\.\.data\napp\.conf\n\.\.data\/app\.conf\nv2\n$/);
    expect((await reader.sh('mount | grep /data')).stdout).toContain('(ro,relatime)');
  });

  it('keeps its files from other containers of the image', async () => {
    const [one, two] = [startTestContainer(), startTestContainer()];
    await one.sh('echo changed >> /etc/passwd; rm /bin/cat; echo x > /tmp/x');
    expect((await two.sh('tail -n 1 /etc/passwd; ls /tmp; echo a | cat')).stdout).toBe(
      'nobody:x:65534:65534:nobody:/home:/bin/false\na\n',
    );
  });

  it('has /proc, /dev and the files of its network', async () => {
    const test = startTestContainer({ hostname: 'web-0', etcHosts: '127.0.0.1 localhost\n10.244.1.5 web-0\n' });
    const { stdout } = await test.sh(
      'cat /etc/hostname /proc/sys/kernel/hostname; tr "\\0" " " < /proc/1/cmdline; echo; echo $HOSTNAME; hostname; cat /etc/hosts | wc -l; [ -c /dev/null ] && echo device',
    );
    expect(stdout).toBe('web-0\nweb-0\nidle \nweb-0\nweb-0\n2\ndevice\n');
  });

  it('lets anyone write to the log through /proc/1/fd/1', async () => {
    const test = startTestContainer();
    await test.sh('echo from exec > /proc/1/fd/1');
    await test.waitForLog(/from exec\n/);
    expect(test.log()).toBe('from exec\n');
  });

  it('attaches: input to the main process, output from it, again and again', async () => {
    const command = ['sh', '-c', 'while read -r x; do echo "got $x"; done; echo end of input'];
    const test = startTestContainer({ command, stdin: true });
    const attach = async (line: string): Promise<string> => {
      const [stdin, stdout] = [new PassThrough(), new PassThrough()];
      const detach = new AbortController();
      const attached = test.container.attach({ stdin, stdout, stderr: stdout }, detach.signal);
      stdin.write(`${line}\n`);
      const [answer] = await once(stdout, 'data');
      detach.abort();
      await attached;
      return String(answer);
    };
    expect(await attach('one')).toBe('got one\n');
    expect(await attach('two')).toBe('got two\n');
    expect(test.log()).toBe('got one\ngot two\n');
    test.container.signal('SIGKILL');
    await test.container.ended;
  });
});

describe('a terminal', () => {
  it('prompts, echoes, edits, remembers and leaves', async () => {
    const { container } = startTestContainer({ hostname: 'web-0' });
    const terminal = new TestTerminal();
    const ended = container.exec(['sh'], terminal.streams);
    await terminal.see('/ # ');
    terminal.type('echo hallo\x1b[D\x1b[D\x1b[D\x7fe\r');
    await terminal.see('\r\nhello\r\n/ # ');
    terminal.type('\x1b[A\r');
    await terminal.see('\r\nhello\r\n/ # ');
    terminal.type('if true; then\recho multi\rfi\r');
    await terminal.see('\r\nmulti\r\n/ # ');
    terminal.type('cd /etc\r');
    await terminal.see('/etc # ');
    terminal.type('cat hostn\t\r');
    await terminal.see('web-0\r\n/etc # ');
    terminal.type('exit 3\r');
    expect(await ended).toBe(3);
  });

  it('gives cooked input to programs; Ctrl-D ends it, and the shell goes on', async () => {
    const { container } = startTestContainer();
    const terminal = new TestTerminal();
    const ended = container.exec(['sh'], terminal.streams);
    await terminal.see('# ');
    terminal.type('cat; echo after\r');
    await terminal.see('\r\n');
    terminal.type('line\x7fe\r');
    await terminal.see('\r\nline'.slice(0, 5));
    terminal.type('\x04');
    await terminal.see('after\r\n');
    await terminal.see('# ');
    terminal.type('\x04');
    expect(await ended).toBe(0);
  });

  it('Ctrl-C ends the foreground command, a loop, a half-typed line; not the shell', async () => {
    const { container } = startTestContainer();
    const terminal = new TestTerminal();
    const ended = container.exec(['sh'], terminal.streams);
    await terminal.see('# ');
    terminal.type('echo begun; sleep 100\r');
    await terminal.see('\r\nbegun\r\n');
    terminal.type('\x03');
    await terminal.see('^C\r\n/ # ');
    terminal.type('while true; do echo turn; sleep 0.01; done\r');
    await terminal.see('\r\nturn\r\nturn\r\n');
    terminal.type('\x03');
    await terminal.see('# ');
    terminal.type('half a line\x03');
    await terminal.see('^C\r\n/ # ');
    terminal.type('echo $?\r');
    await terminal.see('\r\n130\r\n');
    terminal.type('while :; do :; done\r');
    await terminal.see('done\r\n');
    terminal.type('\x03');
    await terminal.see('# ');
    terminal.type('exit\r');
    expect(await ended).toBe(130);
  });

  it('Ctrl-C ends a command that is run directly', async () => {
    const { container } = startTestContainer();
    const terminal = new TestTerminal();
    const ended = container.exec(['sh', '-c', 'echo begun; while true; do sleep 0.01; done'], terminal.streams);
    await terminal.see('begun\r\n');
    terminal.type('\x03');
    expect(await ended).toBe(130);
  });

  it('knows the window size and tells of changes', async () => {
    const { container } = startTestContainer();
    const terminal = new TestTerminal();
    const ended = container.exec(
      ['sh', '-c', "trap 'echo resized' WINCH; [ -t 1 ] && echo terminal; tty; while true; do sleep 0.01; done"],
      terminal.streams,
    );
    await terminal.see('terminal\r\n/dev/pts/0\r\n');
    terminal.resize(120, 40);
    await terminal.see('resized\r\n');
    terminal.type('\x03');
    await ended;
  });

  it('hangs up when the client goes away', async () => {
    const { container } = startTestContainer();
    const terminal = new TestTerminal();
    const abort = new AbortController();
    const ended = container.exec(['sh', '-c', 'echo begun; sleep 100'], terminal.streams, abort.signal);
    await terminal.see('begun');
    abort.abort();
    expect(await ended).toBe(129);
  });
});
