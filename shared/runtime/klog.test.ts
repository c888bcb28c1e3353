import { expect, it } from 'vitest';
import { klogStream } from './klog.ts';
import { createLogger } from './log.ts';

function logged(write: (log: ReturnType<typeof createLogger>) => void): string {
  let text = '';
  const destination = klogStream({
    write(line) {
      text += line;
    },
  });
  write(createLogger('kube-proxy', { destination }));
  return text;
}

it('has a head, a quoted message and fields', () => {
  expect(logged((log) => log.info({ source: 'server_linux.go:165', healthPort: 10256 }, 'Using ipvs Proxier'))).toMatch(
    /^I\d{4} \d\d:\d\d:\d\d\.\d{6} {7}1 server_linux\.go:165\] "Using ipvs Proxier" healthPort=10256\n$/,
  );
});

it('shortens errors to their message, and names the component where no source is given', () => {
  const line = logged((log) => log.error({ error: new Error('the "node" is away') }, 'sync failed'));
  expect(line).toMatch(/^E\d{4} [\d:.]{15} {7}1 kube-proxy:1\] "sync failed" error="the \\"node\\" is away"\n$/);
});
