/** How an `ip` command ends: with rows as JSON, or with a change that prints nothing. */
import type { ShownNamespace } from '../../datapath/show/namespace.ts';
import { type CommandOutput, printed } from '../command-output.ts';
import { rtnetlinkError } from './ip-error.ts';
import type { IpOptions } from './ip-options.ts';
import { prettyJson } from './pretty-json.ts';

/** Who has no CAP_NET_ADMIN may only look, as a pod may by default. */
export function change({ administrator }: ShownNamespace, run: () => void): CommandOutput {
  if (!administrator) throw rtnetlinkError('Operation not permitted');
  run();
  return printed('');
}

export function json(rows: unknown, { pretty }: IpOptions): CommandOutput {
  return printed(`${pretty ? prettyJson(rows) : JSON.stringify(rows)}\n`);
}
