/**
 * Gateway API's echo-advanced, the test application of meshes: `--port N` (as often as wanted) answers lines of
 * `Name=value`; `client URL` asks such a server and prints what it said. Without a port it is echo-basic.
 */
import { COREUTILS } from '../../coreutils/toolset.ts';
import { type Image, lazyProgram, type Program } from '../../image.ts';
import { echoBasic } from './echo-basic.ts';

const server = lazyProgram(async () => (await import('./echo-advanced-server.ts')).echoAdvanced);
const client = lazyProgram(async () => (await import('./echo-client.ts')).echoClient);

const entrypoint: Program = (context) =>
  context.argv.some((word) => /^--?(port|tcp|tls)\b/.test(word)) ? server(context) : echoBasic(context);

export const echoAdvancedImage: Image = {
  repositories: ['echo-advanced', 'istio-release/app', 'istio-testing/app'],
  entrypoint: ['/usr/local/bin/server'],
  defaultCommand: [],
  programs: { ...COREUTILS, '/usr/local/bin/server': entrypoint, '/usr/local/bin/client': client },
};
