/** Two pods on one wire, `server` of an image under test and `client` with a shell, for tests of images. */
import { afterEach } from 'vitest';
import { type PodPair, podPair } from '../../../shared/podnet/pod-pair.testkit.ts';
import { startTestContainer, type TestContainer, type TestContainerOptions } from '../container.testkit.ts';
import type { Image } from '../image.ts';
import { findImage } from '../registry.ts';

export { LEFT_ADDRESS as SERVER, RIGHT_ADDRESS as CLIENT } from '../../../shared/podnet/pod-pair.testkit.ts';

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

export function testPods(): PodPair {
  const pair = podPair();
  open.push(() => pair.close());
  return pair;
}

export function imageNamed(reference: string): Image {
  const image = findImage(reference);
  if (image === undefined) throw new Error(`no image ${reference}`);
  return image;
}

/** A container that the test's end kills. */
export function startImage(reference: string, options: Omit<TestContainerOptions, 'image'> = {}): TestContainer {
  const started = startTestContainer({
    image: imageNamed(reference),
    resolvConf: 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n',
    ...options,
  });
  open.push(async () => {
    started.container.signal('SIGKILL');
    await started.container.ended;
  });
  return started;
}
