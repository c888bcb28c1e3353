/** What entrypoint scripts of images do: look at their arguments and become the program that these name. */
import type { ProgramContext } from '../image.ts';
import { write } from '../program-io.ts';

/** exec(2): the calling process becomes `argv`; resolves with its exit code. 127 when there is no such program. */
export async function execInPlace(context: ProgramContext, argv: readonly string[]): Promise<number> {
  const { container, env, cwd, process, standardFiles, terminal } = context;
  const name = argv[0] ?? '';
  const executable = container.findExecutable(name, env.PATH, cwd);
  if (executable.kind !== 'found') {
    await write(context.stderr, `${context.argv[0]}: exec: ${name}: not found\n`);
    return 127;
  }
  container.launch({ path: executable.path, argv, env, cwd, ...standardFiles, terminal, replace: process });
  return (await process.exited).code;
}
