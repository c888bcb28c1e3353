/** agnhost, the image of Kubernetes' own network tests: one program, a subcommand for each purpose. */

import { ALL_NETWORK } from '../../commands/toolset.ts';
import { BASH, COREUTILS } from '../../coreutils/toolset.ts';
import { type Image, lazyProgram, type Program } from '../../image.ts';
import { write } from '../../program-io.ts';
import { ALPINE_FILES } from '../distribution-files.ts';

/** Each gets `/agnhost NAME FLAGS...` as its command line. */
const SUBCOMMANDS: Readonly<Record<string, Program>> = {
  connect: lazyProgram(async () => (await import('./connect.ts')).connect),
  'dns-server-list': lazyProgram(async () => (await import('./dns-configuration.ts')).dnsServerList),
  'dns-suffix': lazyProgram(async () => (await import('./dns-configuration.ts')).dnsSuffix),
  'entrypoint-tester': lazyProgram(async () => (await import('./entrypoint-tester.ts')).entrypointTester),
  'etc-hosts': lazyProgram(async () => (await import('./dns-configuration.ts')).etcHosts),
  'grpc-health-checking': lazyProgram(async () => (await import('./grpc-health-checking.ts')).grpcHealthChecking),
  liveness: lazyProgram(async () => (await import('./liveness.ts')).liveness),
  net: lazyProgram(async () => (await import('./net.ts')).net),
  netexec: lazyProgram(async () => (await import('./netexec.ts')).netexec),
  'no-snat-test': lazyProgram(async () => (await import('./no-snat-test.ts')).noSnatTest),
  pause: lazyProgram(async () => (await import('./pause.ts')).pause),
  porter: lazyProgram(async () => (await import('./porter.ts')).porter),
  'serve-hostname': lazyProgram(async () => (await import('./serve-hostname.ts')).serveHostname),
  'test-webserver': lazyProgram(async () => (await import('./test-webserver.ts')).testWebserver),
};

const agnhost: Program = async (context) => {
  const name = context.argv[1];
  const subcommand = name === undefined ? undefined : SUBCOMMANDS[name];
  if (subcommand !== undefined) return subcommand(context);
  const known = Object.keys(SUBCOMMANDS).join(', ');
  const isHelp = name === undefined || /^(help|-h|--help)$/.test(name);
  if (isHelp) await write(context.stdout, `Usage: agnhost COMMAND [flags]\nCommands: ${known}\n`);
  else await write(context.stderr, `agnhost: unknown command "${name}"; known are ${known}\n`);
  return isHelp ? 0 : 1;
};

export const agnhostImage: Image = {
  repositories: ['agnhost'],
  entrypoint: ['/agnhost'],
  defaultCommand: ['pause'],
  programs: { ...COREUTILS, ...BASH, ...ALL_NETWORK, '/agnhost': agnhost, agnhost },
  files: ALPINE_FILES,
};
