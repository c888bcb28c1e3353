/** The commands that a document shows, for a test that runs them as they stand there. */
import { readFileSync } from 'node:fs';

/** Lines of the `sh` blocks of a Markdown file, or of what is below one heading of it; comments off. */
export function documentedCommands(path: string, heading?: string): string[] {
  const text = readFileSync(path, 'utf8');
  const section = heading === undefined ? text : text.split(/^## /m).find((part) => part.startsWith(heading));
  const blocks = [...(section ?? '').matchAll(/^```sh\n([\s\S]*?)^```/gm)].map((match) => match[1] ?? '');
  return blocks
    .flatMap((block) => block.split('\n'))
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter(Boolean);
}

/** Asks something in a pod and changes nothing: right after a rollout it may come before the rules of a Service. */
const QUESTION = /^kubectl exec |podwire(\.mjs)? trace /;
const QUESTION_LIMIT_S = 60;

/** A shell script that says each command before it runs it, and stops at the first that fails; questions are asked again. */
export function scriptOf(commands: readonly string[]): string {
  const said = commands.map(
    (command) =>
      `echo ">>> ${command.replaceAll(/["$`\\]/g, '\\$&')}"\n${QUESTION.test(command) ? asked(command) : command}`,
  );
  return ['set -e', ...said].join('\n');
}

function asked(command: string): string {
  return `SECONDS=0\nuntil ${command}; do [ $SECONDS -lt ${QUESTION_LIMIT_S} ] || exit 1; sleep 0.5; done`;
}
