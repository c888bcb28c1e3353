/**
 * The utilities that every image with a shell has; each module is loaded when one of its programs first runs.
 *
 * Why they are ours: just-bash 3.4.2 keeps its commands private, hands their output over only at the end, and costs 26 MB
 * of memory when imported and 37 MB after its first pipeline, half of what a whole node-agent may use.
 */
import { lazyProgram, type Program } from '../image.ts';
import { type Utility, utility } from './utility.ts';

function programs<Name extends string>(
  load: () => Promise<Record<Name, Utility>>,
  names: readonly Name[],
  usageStatus?: number,
): Record<string, Program> {
  return Object.fromEntries(
    names.map((name) => [name, lazyProgram(async () => utility(name, (await load())[name], usageStatus))]),
  );
}

/** The same utility under another name, which it sees as its own. */
function renamed<Name extends string>(
  load: () => Promise<Record<Name, Utility>>,
  name: Name,
  aliases: readonly string[],
  usageStatus?: number,
): Record<string, Program> {
  return Object.fromEntries(
    aliases.map((alias) => [alias, lazyProgram(async () => utility(alias, (await load())[name], usageStatus))]),
  );
}

const shell = lazyProgram(async () => (await import('../shell/sh.ts')).sh);

const builtins = ['echo', 'printf', 'test', '[', 'true', 'false', 'pwd'].map((name): [string, Program] => [
  name,
  lazyProgram(async () => (await import('../shell/builtin-program.ts')).builtinProgram(name)),
]);

const digests = ['md5', 'sha1', 'sha256', 'sha512'].map((algorithm): [string, Program] => [
  `${algorithm}sum`,
  lazyProgram(async () => utility(`${algorithm}sum`, (await import('./encoding.ts')).digest(algorithm))),
]);

const streams = () => import('./text-streams.ts');
const lines = () => import('./text-lines.ts');
const operations = () => import('./file-operations.ts');
const listing = () => import('./file-listing.ts');
const commands = () => import('./run-command.ts');
const system = () => import('./system.ts');
const encoding = () => import('./encoding.ts');

export const COREUTILS: Readonly<Record<string, Program>> = {
  sh: shell,
  ash: shell,
  ...Object.fromEntries(builtins),
  ...Object.fromEntries(digests),
  ...programs(streams, ['cat', 'head', 'tail', 'tee', 'wc', 'nl', 'rev', 'tac', 'yes']),
  ...programs(lines, ['sort', 'uniq', 'cut', 'tr', 'paste', 'fold', 'comm', 'seq']),
  ...renamed(() => import('./grep.ts'), 'grep', ['grep', 'egrep', 'fgrep'], 2),
  ...programs(() => import('./sed.ts'), ['sed']),
  ...programs(() => import('./awk/awk.ts'), ['awk'], 2),
  ...programs(() => import('./find.ts'), ['find']),
  ...programs(() => import('./expr.ts'), ['expr'], 2),
  ...programs(() => import('./tar.ts'), ['tar']),
  ...programs(operations, [
    'cp',
    'mv',
    'rm',
    'mkdir',
    'rmdir',
    'touch',
    'ln',
    'chmod',
    'chown',
    'mktemp',
    'truncate',
    'basename',
    'dirname',
    'readlink',
    'realpath',
  ]),
  ...renamed(operations, 'chown', ['chgrp']),
  ...programs(listing, ['ls', 'stat', 'du', 'df', 'mount', 'which', 'file']),
  ...programs(commands, ['xargs', 'env', 'printenv', 'timeout', 'sleep', 'nohup', 'nice', 'time', 'watch']),
  ...programs(system, [
    'hostname',
    'uname',
    'id',
    'whoami',
    'arch',
    'nproc',
    'tty',
    'clear',
    'uptime',
    'free',
    'date',
    'ps',
    'pgrep',
    'pkill',
    'killall',
    'pidof',
    'kill',
  ]),
  ...programs(encoding, ['base64', 'hexdump', 'xxd', 'od', 'gzip']),
  ...renamed(encoding, 'gzip', ['gunzip', 'zcat']),
};

/** Images of a full distribution have bash beside sh. */
export const BASH: Readonly<Record<string, Program>> = { bash: shell };
