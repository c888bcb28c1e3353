import type { Command } from 'commander';
import type { ChannelStream } from '../../../shared/bus/stream.ts';
import { connectToCluster } from '../../cluster-connection.ts';
import { decodeCommandStatus } from '../../command-status.ts';
import { askRunningSupervisor } from '../../supervisor/control-client.ts';
import { messageOf, UserError } from '../../user-error.ts';
import { type ClusterOptions, clusterCommand, folderOf } from '../cluster-option.ts';

interface ExecOptions extends ClusterOptions {
  readonly stdin?: boolean;
  readonly tty?: boolean;
}

export function nodeExecCommand(): Command {
  return clusterCommand({
    name: 'exec',
    summary: "Run a command on a node, in the node's own network. Exits with the command's exit code.",
    examples: [
      ['podwire node exec worker-1 -- ip route', "the node's routes"],
      ['podwire node exec worker-1 -- iptables-save -t nat', "kube-proxy's rules"],
      ['podwire node exec -it worker-1 -- sh', 'a shell'],
    ],
  })
    .argument('<node>', 'worker-1, worker-2, ...')
    .argument('<command...>', 'the command and its arguments, after --')
    .option('-i, --stdin', 'pass standard input on')
    .option('-t, --tty', 'with a terminal')
    .action(async (node: string, command: string[], options: ExecOptions) => {
      process.exitCode = await execute(node, command, options);
    });
}

async function execute(node: string, command: readonly string[], options: ExecOptions): Promise<number> {
  const status = await askRunningSupervisor(folderOf(options), { command: 'status' });
  const names = status.nodes.map(({ name }) => name);
  if (!names.includes(node)) throw new UserError(`there is no node '${node}': the nodes are ${names.join(', ')}`);
  if (!status.processes.some(({ name, pid }) => name === node && pid !== undefined)) {
    throw new UserError(`node ${node} is down: podwire node start ${node}`);
  }
  const [{ openStream }, { NODE_STREAM }] = await Promise.all([
    import('../../../shared/bus/stream.ts'),
    import('../../../shared/bus/subjects.ts'),
  ]);
  const bus = await connectToCluster(status);
  const tty = options.tty === true && process.stdout.isTTY === true;
  const stdin = options.stdin === true;
  try {
    const request = { kind: 'node-exec', command, stdin, stdout: true, stderr: !tty, tty } as const;
    const stream = await openStream(bus, NODE_STREAM, { node }, request);
    return await joinStreams(stream, stdin, tty);
  } catch (error) {
    throw error instanceof UserError ? error : new UserError(`node ${node}: ${messageOf(error)}`);
  } finally {
    await bus.close();
  }
}

/** Couples this process' streams with the command's; resolves to its exit code. */
async function joinStreams(stream: ChannelStream, stdin: boolean, tty: boolean): Promise<number> {
  const { STREAM_CHANNEL } = await import('../../../shared/bus/subjects.ts');
  let statusText = '';
  stream.onData((channel, data) => {
    if (channel === STREAM_CHANNEL.stdout) return written(process.stdout, data);
    if (channel === STREAM_CHANNEL.stderr) return written(process.stderr, data);
    if (channel === STREAM_CHANNEL.error) statusText += new TextDecoder().decode(data);
  });
  const sendSize = (): void => {
    const size = { Width: process.stdout.columns, Height: process.stdout.rows };
    void ignoreClosed(stream.send(STREAM_CHANNEL.resize, new TextEncoder().encode(JSON.stringify(size))));
  };
  if (tty) {
    if (process.stdin.isTTY) process.stdin.setRawMode(true);
    process.stdout.on('resize', sendSize);
    sendSize();
  }
  if (stdin) {
    process.stdin.on('data', (data: Buffer) => {
      process.stdin.pause();
      void ignoreClosed(stream.send(STREAM_CHANNEL.stdin, data).then(() => void process.stdin.resume()));
    });
    process.stdin.on('end', () => stream.end(STREAM_CHANNEL.stdin));
  }
  const error = await stream.closed;
  process.stdin.pause();
  if (tty && process.stdin.isTTY) process.stdin.setRawMode(false);
  if (error !== undefined) throw new UserError(`the connection to the command broke: ${error.message}`);
  const status = decodeCommandStatus(statusText);
  if (status.message !== undefined) process.stderr.write(`podwire: ${status.message}\n`);
  return status.exitCode;
}

/** Resolves when the bytes are taken, so that a slow reader slows the command down. */
function written(stream: NodeJS.WriteStream, data: Uint8Array): Promise<void> {
  return new Promise((resolve) => stream.write(data, () => resolve()));
}

/** The command ended while bytes for it were on their way: nothing to tell anybody. */
function ignoreClosed(sent: Promise<void>): Promise<void> {
  return sent.catch((error: unknown) => {
    if (process.env.PODWIRE_DEBUG) process.stderr.write(`${messageOf(error)}\n`);
  });
}
