import { describe, expect, it } from 'vitest';
import { startTestContainer } from '../container.testkit.ts';
import { findImage } from '../registry.ts';

function image(name: string) {
  const found = findImage(name);
  if (found === undefined) throw new Error(`no image ${name}`);
  return found;
}

const SHELLS = ['busybox', 'alpine', 'curlimages/curl', 'nicolaka/netshoot', 'jessie-dnsutils'];

describe.each(SHELLS)('%s', (name) => {
  it('idles under a command of the pod and answers commands beside it', async () => {
    const { container, sh } = startTestContainer({ image: image(name), command: ['sleep', 'infinity'] });
    expect(await sh('echo $((6 * 7)) | cat')).toEqual({ stdout: '42\n', stderr: '', code: 0 });
    container.signal('SIGTERM');
    expect((await container.ended).exitCode).toBe(143);
  });
});

describe('busybox', () => {
  it('runs any applet by its own name', async () => {
    const { container, run } = startTestContainer({ image: image('busybox'), command: ['sleep', '3600'] });
    expect(await run(['busybox', 'echo', 'a'])).toEqual({ stdout: 'a\n', stderr: '', code: 0 });
    expect((await run(['busybox'])).stdout).toContain('\nsed\n');
    expect((await run(['busybox', 'nothing'])).code).toBe(127);
    container.signal('SIGKILL');
  });
});

describe('curlimages/curl', () => {
  it('becomes the program that its arguments name', async () => {
    const { container, waitForLog } = startTestContainer({ image: image('curlimages/curl'), args: ['echo', 'hello'] });
    await waitForLog(/^hello$/m);
    expect((await container.ended).exitCode).toBe(0);
  });
});

describe('pause', () => {
  it('does nothing until SIGTERM', async () => {
    const { container, log } = startTestContainer({ image: image('registry.k8s.io/pause:3.10') });
    expect(container.view.processes.list().map(({ argv }) => argv)).toEqual([['/pause']]);
    container.signal('SIGTERM');
    expect(await container.ended).toEqual({ exitCode: 0, signal: undefined });
    expect(log()).toBe('');
  });
});
