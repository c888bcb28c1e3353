/** Carries out the rows of a table against a running cluster. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { waitFor } from '../../wait-for.ts';
import { differences, type Endless, type Invocation, wordsOf } from './invocation.ts';

export interface Environment {
  readonly kubectl: string;
  readonly variables: Readonly<Record<string, string>>;
  /** What `$NAME` stands for in commands. */
  readonly folders: Readonly<Record<string, string>>;
}

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Throws, with everything that was printed, when the outcome is another than the row's. */
export async function invoke(row: Invocation, environment: Environment): Promise<void> {
  if (row.endless !== undefined) return invokeEndless(row, row.endless, environment);
  if (row.eventually) return invokeUntil(row, environment);
  const result = await runKubectl(row, environment);
  const wrong = differences(row, result);
  if (wrong.length > 0) throw new Error(failureText(wrong, result));
}

function failureText(wrong: readonly string[], { code, stdout, stderr }: Result): string {
  return `${wrong.join('; ')}\n--- exit code ${code}\n--- output\n${stdout}\n--- error output\n${stderr}`;
}

async function invokeUntil(row: Invocation, environment: Environment): Promise<void> {
  let last: Result = { code: 0, stdout: '', stderr: '' };
  try {
    await waitFor(row.command, async () => {
      last = await runKubectl(row, environment);
      return differences(row, last).length === 0;
    });
  } catch (error) {
    throw new Error(failureText(differences(row, last), last), { cause: error });
  }
}

function start({ command, env }: Pick<Invocation, 'command' | 'env'>, environment: Environment): ChildProcess {
  const words = wordsOf(command).map((word) =>
    word.replace(/^(\w+=)?\$([A-Z]+)/, (_, prefix = '', name: string) => `${prefix}${environment.folders[name] ?? ''}`),
  );
  return spawn(environment.kubectl, words, {
    env: { ...process.env, ...environment.variables, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

async function runKubectl(
  row: Pick<Invocation, 'command' | 'env' | 'input'>,
  environment: Environment,
): Promise<Result> {
  const child = start(row, environment);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (data) => {
    stdout += data;
  });
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  // A kubectl that ends before it has read everything is no failure of the test.
  child.stdin?.on('error', () => child.stdin?.destroy());
  child.stdin?.end(row.input ?? '');
  const [code] = await once(child, 'close');
  return { code: typeof code === 'number' ? code : 128, stdout, stderr };
}

async function invokeEndless(row: Invocation, endless: Endless, environment: Environment): Promise<void> {
  const child = start(row, environment);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data) => {
      output += data;
    });
  }
  const ended = once(child, 'close');
  try {
    const [first, ...others] = endless.seen;
    const match = await seen(first!, () => output);
    if (endless.meanwhile !== undefined) await runKubectl({ command: endless.meanwhile }, environment);
    if (endless.fetch !== undefined) await fetched(endless.fetch, match);
    for (const pattern of others) await seen(pattern, () => output);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

async function seen(pattern: RegExp, output: () => string): Promise<RegExpExecArray> {
  try {
    return await waitFor(`the output ${pattern}`, () => pattern.exec(output()));
  } catch (error) {
    throw new Error(`no ${pattern} in the output\n${output()}`, { cause: error });
  }
}

async function fetched({ url, body }: NonNullable<Endless['fetch']>, match: RegExpExecArray): Promise<void> {
  const response = await fetch(url.replace('$1', match[1] ?? ''));
  const text = await response.text();
  if (!body.test(text)) throw new Error(`the answer does not match ${body}:\n${text}`);
}
