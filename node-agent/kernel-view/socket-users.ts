/** Which programs have a socket open, in the words of `ss -p` and `netstat -p`. */
import type { SocketRow } from './socket-rows.ts';

/**
 * Whose processes the one who asks can see: those of a PID namespace, `all` of them for the node itself. As on Linux, sockets of
 * others' processes are listed without them.
 */
export type ProcessView = object | 'all';

interface ShownProcess {
  readonly name: string;
  readonly pid: number;
  readonly descriptor: number;
}

/** `users:(("nginx",pid=1,fd=6))` after a space; empty where there is nobody to be seen. */
export function ssUsers(row: SocketRow, view: ProcessView | undefined): string {
  const shown = seen(row, view);
  return shown === undefined ? '' : ` users:(("${shown.name}",pid=${shown.pid},fd=${shown.descriptor}))`;
}

/** `1/nginx`, `-` where there is nobody to be seen. */
export function netstatProgram(row: SocketRow, view: ProcessView | undefined): string {
  const shown = seen(row, view);
  return shown === undefined ? '-' : `${shown.pid}/${shown.name}`;
}

function seen({ holder }: SocketRow, view: ProcessView | undefined): ShownProcess | undefined {
  if (holder === undefined || view === undefined) return undefined;
  const { owner, descriptor } = holder;
  if (view === 'all') return { name: owner.name, pid: owner.nodePid, descriptor };
  return view === owner.pidNamespace ? { name: owner.name, pid: owner.pid, descriptor } : undefined;
}
