/** `conntrack` (conntrack-tools): the table with filters, its statistics, its size. */
import type { NodeDatapath } from '../datapath/path.ts';
import { type ConnectionRow, connectionRows, formatConnections } from '../datapath/show/conntrack.ts';
import { type CommandOutput, failed, printed } from './command-output.ts';

const USAGE =
  'Usage: conntrack { -L | -S | -C } [ -o extended ] [ -p PROTOCOL ] [ -s ADDRESS ] [ -d ADDRESS ] [ --sport PORT ] [ --dport PORT ] [ --state STATE ]';

export function conntrackCommand(datapath: NodeDatapath, words: readonly string[]): CommandOutput {
  const has = (...names: string[]): boolean => names.some((name) => words.includes(name));
  const value = (...names: string[]): string | undefined => {
    const at = words.findIndex((word) => names.includes(word));
    return at === -1 ? undefined : words[at + 1];
  };
  if (has('-S', '--stats')) return printed(statistics(datapath));
  const rows = connectionRows(datapath.conntrack, datapath.root.engine.nowUs);
  if (has('-C', '--count')) return printed(`${rows.length}\n`);
  if (!has('-L', '--dump')) return failed(USAGE, 2);
  const wanted: readonly (readonly [string | undefined, (row: ConnectionRow) => unknown])[] = [
    [value('-p', '--proto'), ({ protocol }) => protocol],
    [value('-s', '--src', '--orig-src'), ({ original }) => original.src],
    [value('-d', '--dst', '--orig-dst'), ({ original }) => original.dst],
    [value('-r', '--reply-src'), ({ reply }) => reply.src],
    [value('-q', '--reply-dst'), ({ reply }) => reply.dst],
    [value('--sport', '--orig-port-src'), ({ original }) => original.sport],
    [value('--dport', '--orig-port-dst'), ({ original }) => original.dport],
    [value('--state'), ({ state }) => state],
  ];
  const shown = rows.filter((row) =>
    wanted.every(([text, field]) => text === undefined || String(field(row)) === text),
  );
  const extended = value('-o', '--output')?.split(',').includes('extended') === true;
  const lines = formatConnections(shown).split('\n').filter(Boolean);
  const stdout = lines.map((line) => `${extended ? 'ipv4     2 ' : ''}${line}\n`).join('');
  const stderr = `conntrack v1.4.8 (conntrack-tools): ${shown.length} flow entries have been shown.\n`;
  return { stdout, stderr, code: 0 };
}

/** One line for the one processor that a node is. */
function statistics(datapath: NodeDatapath): string {
  const { invalidPackets, connectionsRefused, connectionsDroppedEarly } = datapath.counters();
  return (
    `cpu=0   \tfound=0 invalid=${invalidPackets} insert=0 insert_failed=0 drop=${connectionsRefused} ` +
    `early_drop=${connectionsDroppedEarly} error=0 search_restart=0 clash_resolve=0 chaintoolong=0 \n`
  );
}
