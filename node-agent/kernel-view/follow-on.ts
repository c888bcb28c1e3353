/** Commands that follow (`dmesg -w`, `conntrack -E`, `ip monitor`): run again and again, each time from where the last one ended. */

/** No word that a user can say. */
const AFTER = '\0after';

export interface FollowOn {
  /** What the user said. */
  readonly asked: readonly string[];
  /** What the last run saw already; undefined the first time. */
  readonly after: number | undefined;
}

export function readFollowOn(words: readonly string[]): FollowOn {
  const at = words.indexOf(AFTER);
  return at === -1 ? { asked: words, after: undefined } : { asked: words.slice(0, at), after: Number(words[at + 1]) };
}

/** What to run next. */
export function followOn(command: string, asked: readonly string[], after: number): readonly string[] {
  return [command, ...asked, AFTER, String(after)];
}
