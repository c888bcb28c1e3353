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

/** A shell script that says each command before it runs it, and stops at the first that fails. */
export function scriptOf(commands: readonly string[]): string {
  const said = commands.map((command) => `echo ">>> ${command.replaceAll(/["$`\\]/g, '\\$&')}"\n${command}`);
  return ['set -e', ...said].join('\n');
}
