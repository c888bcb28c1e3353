/** What a process that is one end of a benchmark says to its parent, and hears from it. */
import { once } from 'node:events';
import type { EndMessage, Introduction } from './datapath-message.ts';

export function say(message: EndMessage): void {
  process.send?.(message);
}

/** Says where this end is reached and waits for the same of the other one. */
export async function introduced(own: Introduction): Promise<Introduction> {
  const answer = once(process, 'message');
  say({ kind: 'introduction', introduction: own });
  // The parent hands on what the other end said with `say`.
  const [other] = (await answer) as [Introduction];
  return other;
}
