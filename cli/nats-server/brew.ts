import { lastLine, runCommand } from './command.ts';
import { executable, type FetchContext, type FetchOutcome } from './program-file.ts';

/** nats-server from Homebrew (macOS). */
export async function installWithBrew({ report }: FetchContext): Promise<FetchOutcome> {
  if (process.platform !== 'darwin') return { failure: 'only tried on macOS' };
  report('installing nats-server with brew');
  const install = await runCommand('brew', ['install', 'nats-server']);
  const path = executable('/opt/homebrew/bin/nats-server') ?? executable('/usr/local/bin/nats-server');
  return path === undefined ? { failure: `brew install nats-server failed: ${lastLine(install.output)}` } : { path };
}
