/** What every command has in common: which cluster, and for whom the output is. */
import { isIP } from 'node:net';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { HostPort } from '../../shared/runtime/config.ts';
import { ClusterFolder } from '../cluster-folder.ts';
import { OUTPUT_FORMATS, type OutputFormat } from '../output.ts';

export interface ClusterOptions {
  readonly name: string;
}

export interface FormattedOptions extends ClusterOptions {
  readonly output: OutputFormat;
}

export interface CommandText {
  readonly name: string;
  readonly summary: string;
  /** Command lines with what they do: `['podwire up --nodes 5', 'five nodes']`. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
}

/** A command with `--name` and its examples below its help. */
export function clusterCommand({ name, summary, examples }: CommandText): Command {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, meaning]) => `  ${line.padEnd(width)}  ${meaning}`);
  return new Command(name)
    .description(summary)
    .addOption(new Option('--name <cluster>', 'the cluster').env('PODWIRE_CLUSTER').default('podwire'))
    .addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}

/** `clusterCommand` with `-o json`. */
export function formattedCommand(text: CommandText): Command {
  return clusterCommand(text).addOption(
    new Option('-o, --output <format>', 'for people or for programs').choices(OUTPUT_FORMATS).default('text'),
  );
}

export function folderOf(options: ClusterOptions): ClusterFolder {
  return new ClusterFolder(options.name);
}

/** Parses `127.0.0.1:1053` and `[::1]:1053`. */
export function addressAndPort(text: string): HostPort {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  const port = Number(digits);
  if (isIP(host) !== 0 && port >= 1 && port <= 65_535) return { host, port };
  throw new InvalidArgumentError('expected ADDRESS:PORT such as 127.0.0.1:1053.');
}

/** Parses a whole number of an option or argument. */
export function wholeNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (number >= minimum && number <= maximum) return number;
    throw new InvalidArgumentError(`expected a whole number from ${minimum} to ${maximum}.`);
  };
}
