#!/usr/bin/env node
// Runs the command with a Node that takes TypeScript as it is: the one that runs this file if it is new enough, else the
// one that came with the project. Plain JavaScript, as any Node must be able to read it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
const own = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url));
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major > 22 || (major === 22 && minor >= 18)) {
  process.argv[1] = main;
  await import(main);
} else if (existsSync(own)) {
  const child = spawn(own, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  // The child decides when it is over. Ctrl-C reaches both, `kill -INT` us alone; two at once are one (cli/stop-signals.ts).
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
} else {
  process.stderr.write(
    `podwire: Node ${process.versions.node} is too old and the project's own Node is missing: run npm ci, or use Node 22.18 or later\n`,
  );
  process.exit(1);
}
