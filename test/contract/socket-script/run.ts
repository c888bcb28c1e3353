/**
 * Runs all cases, or those whose titles stand in `SCRIPT_ONLY`, and sends their stories to the process that forked it. `SCRIPT_POD_SOCKET`
 * names the pod whose network this process is to have; without it the sockets are the machine's.
 */

import { PodLink } from '../../../node-agent/images/node-program/inside/pod-link.ts';
import { installTcp } from '../../../node-agent/images/node-program/inside/tcp-handle.ts';
import { installTls } from '../../../node-agent/images/node-program/inside/tls-stream.ts';
import { installUdp } from '../../../node-agent/images/node-program/inside/udp-handle.ts';
import { type Case, Story } from './story.ts';

const CASE_LIMIT_MS = 30_000;
const LANES = 6;
const { SCRIPT_POD_SOCKET: path } = process.env;
const only = process.env.SCRIPT_ONLY === undefined ? undefined : (JSON.parse(process.env.SCRIPT_ONLY) as string[]);
if (path !== undefined) {
  const link = new PodLink(path, () => process.exit(1));
  installTcp(link, true);
  installTls();
  installUdp(link, true);
}

const { netCases } = await import('./net-cases.ts');
const { udpCases } = await import('./udp-cases.ts');
const { httpCases } = await import('./http-cases.ts');
const { tlsCases } = await import('./tls-cases.ts');
const { endingCases } = await import('./ending-cases.ts');
const { endpointCases } = await import('./endpoint-cases.ts');
const groups = {
  net: netCases,
  endings: endingCases,
  endpoints: endpointCases,
  dgram: udpCases,
  http: httpCases,
  tls: tlsCases,
};
const stories: Record<string, Record<string, string[]>> = {};

async function tell(title: string, run: Case): Promise<void> {
  const story = new Story();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, CASE_LIMIT_MS, 'took too long');
  });
  const over = run(story).then(
    () => 'done',
    (error: Error) => `threw ${error.stack}`,
  );
  story.tell('case', await Promise.race([over, late]));
  clearTimeout(timer);
  stories[title] = await story.end();
}

const cases = Object.entries(groups).flatMap(([group, named]) =>
  Object.entries(named).map(([name, run]): [string, Case] => [`${group}: ${name}`, run]),
);
const chosen = only === undefined ? cases : cases.filter(([title]) => only.includes(title));
// Most of a case is waiting.
const lanes = Array.from({ length: only === undefined ? LANES : 1 }, async () => {
  for (let next = chosen.shift(); next !== undefined; next = chosen.shift()) await tell(...next);
});
await Promise.all(lanes);
process.on('disconnect', () => process.exit());
process.send?.(stories);
