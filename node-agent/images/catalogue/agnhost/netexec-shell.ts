/** `/shell`: runs a command line in the container; the answer is JSON with `output` and `error`, as far as there are any. */
import { Writable } from 'node:stream';
import type { ProgramContext } from '../../image.ts';
import { emptyReadable, readerFile, writerFile } from '../../open-file.ts';

export async function runShellCommand(context: ProgramContext, command: string): Promise<string> {
  const { container, env, cwd } = context;
  const parts: Buffer[] = [];
  const both = writerFile(
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        parts.push(chunk);
        done();
      },
    }),
  );
  const process = container.launch({
    path: '/bin/sh',
    argv: ['/bin/sh', '-c', command],
    env,
    cwd,
    stdin: readerFile(emptyReadable()),
    stdout: both,
    stderr: both,
    parent: context.process,
    newGroup: true,
  });
  const { code, signal } = await process.exited;
  const output = Buffer.concat(parts).toString();
  return JSON.stringify({
    ...(output === '' ? {} : { output }),
    ...(code === 0 ? {} : { error: signal === undefined ? `exit status ${code}` : `signal: ${signal}` }),
  });
}
