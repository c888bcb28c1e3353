import { expect, it } from 'vitest';
import type { KernelView } from '../../image.ts';
import { startImage } from '../pods.testkit.ts';

function inPod(image: string, kernel?: KernelView) {
  return startImage(image, { command: ['sleep', 'infinity'], kernel });
}

const kernel: KernelView = {
  run: (command) => ({ stdout: `${command.join(' ')}\n`, stderr: '', code: command.includes('bad') ? 3 : 0 }),
};

it.each([
  ['weaveworks/weave-kube', ['/home/weave/weave', '--local', 'status', 'peers'], 'cni-command weave status peers\n'],
  ['calico/node', ['birdcl', '-s', '/var/run/calico/bird.ctl', 'show', 'route'], 'cni-command birdc show route\n'],
])('%s: %o is asked of the plugin', async (image, command, stdout) => {
  expect(await inPod(image, kernel).run(command)).toEqual({ stdout, stderr: '', code: 0 });
});

it('ends as the plugin says', async () => {
  expect(await inPod('calico/node', kernel).run(['birdc', 'bad'])).toMatchObject({ code: 3 });
});

it('says what the pod lacks', async () => {
  expect(await inPod('calico/node').run(['birdc', 'show', 'route'])).toMatchObject({
    code: 1,
    stderr: 'birdc: the pod is not on the network of its node: it needs hostNetwork: true\n',
  });
});
