import type { Command } from 'commander';
import { withClusterSession } from '../cluster-session.ts';
import { print } from '../output.ts';
import { messageOf, UserError } from '../user-error.ts';
import { type ClusterOptions, clusterCommand } from './cluster-option.ts';

/** Of a shell that has no such command. */
const NOT_FOUND = 127;

export function observeCommand(): Command {
  return clusterCommand({
    name: 'observe',
    summary:
      "Show the flows of all nodes: who, to whom, the verdict. Needs cilium's network; filters are those of hubble observe.",
    examples: [
      ['podwire observe', 'the last flows'],
      ['podwire observe --verdict DROPPED --last 5', 'what policies refused'],
      ['podwire observe --protocol http --http-status 5+', 'requests that went wrong, where rules ask about HTTP'],
      ['podwire observe --follow --pod shop/web', 'as they come, of pods by the beginning of their names'],
      ['podwire observe --since 5m --from-label app=web --not --to-port 53', 'in the last minutes, without DNS'],
      ['podwire observe --to-port 53 --protocol UDP -o json', 'a JSON object a line'],
    ],
  })
    .argument(
      '[filters...]',
      '--pod, -n, --label, --ip, --port, --fqdn, --identity, each with --from- and --to-; --protocol, --verdict, --type, --traffic-direction, --tcp-flags, --http-method, --http-path, --http-status, --not before any; --since, --until, --first, --last, --all, --node-name, --print-node-name, -f, -o compact|json',
    )
    .allowUnknownOption()
    .action(async (filters: string[], options: ClusterOptions) => observe(filters, options));
}

async function observe(filters: readonly string[], options: ClusterOptions): Promise<void> {
  const [{ startOnNode }, { LineSplitter, mergeFlowLines }] = await Promise.all([
    import('../pod-exec.ts'),
    import('../observe/flow-lines.ts'),
  ]);
  const follows = filters.some((word) => word === '--follow' || word === '-f');
  await withClusterSession(options, async ({ bus, running }) => {
    try {
      const outputs = await Promise.all(
        running.map(async (node) => {
          let text = '';
          const splitter = new LineSplitter(print);
          const stdout = (piece: string): void => {
            if (follows && !piece.startsWith('Error: ')) splitter.take(piece);
            else text += piece;
          };
          const { ended } = await startOnNode(bus, node, ['hubble', 'observe', ...filters], { stdout });
          const { exitCode, message } = await ended;
          if (exitCode === NOT_FOUND || message?.includes('not found')) throw new UserError(NO_FLOWS);
          if (message !== undefined) throw new UserError(`node ${node}: ${message}`);
          if (text.startsWith('Error: ')) throw new UserError(text.slice('Error: '.length).trimEnd());
          return text;
        }),
      );
      for (const line of mergeFlowLines(outputs, filters)) print(line);
    } catch (error) {
      throw error instanceof UserError ? error : new UserError(messageOf(error));
    }
  });
}

const NO_FLOWS =
  "this cluster's network keeps no log of flows: podwire up --cni cilium does, and podwire capture and podwire trace show packets of any";
