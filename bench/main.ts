/**
 * npm run bench -- NAME [NAME...]: measures, prints a table and, as the last line, one JSON object a benchmark.
 * Exit status 0 when everything could be measured (a goal that was missed is a figure, not an error), 1 otherwise.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { Benchmark, MissingFigure } from './benchmark.ts';
import { type Figure, summarize } from './figure.ts';
import { describeMachine } from './machine.ts';
import { renderJsonLine, renderTable } from './report.ts';

const benchmarks: Record<string, { summary: string; load: () => Promise<Benchmark> }> = {
  start: {
    summary: 'time from `podwire up` to three Ready nodes and an answering DNS; memory and CPU of the idle cluster',
    load: async () => (await import('./start.ts')).startBenchmark,
  },
  soak: {
    summary: 'resident memory of two nodes under full load (PODWIRE_SOAK_SECONDS, 60 by default)',
    load: async () => (await import('./soak.ts')).soakBenchmark,
  },
  scale: {
    summary: 'cost of a packet with 1,000 pods beside 10, and with 10,000 routes beside 10',
    load: async () => (await import('./scale.ts')).scaleBenchmark,
  },
  datapath: {
    summary: 'round trip and bulk TCP between pods, beside bare dgram sockets and kernel VXLAN (as root)',
    load: async () => (await import('./datapath.ts')).datapathBenchmark,
  },
  services: {
    summary: 'first packet, sync, round trip and connections in each proxy mode; the last packet to a deleted pod; wrk',
    load: async () => (await import('./services.ts')).servicesBenchmark,
  },
  cni: {
    summary:
      'round trip and bulk TCP between nodes by CNI plugin; what policies cost a packet, and how soon they are in force',
    load: async () => (await import('./cni.ts')).cniBenchmark,
  },
  link: {
    summary: 'accuracy of delays on links, and bulk TCP over a delayed link',
    load: async () => (await import('./link.ts')).linkBenchmark,
  },
  workloads: {
    summary: '1,000 pods on three nodes: time to Ready, memory a pod, exec (PODWIRE_BENCH_PODS)',
    load: async () => (await import('./workloads.ts')).workloadsBenchmark,
  },
  dns: {
    summary: 'queries of one CoreDNS over a real port beside a bare echo, and how soon a new Service has its name',
    load: async () => (await import('./dns.ts')).dnsBenchmark,
  },
  api: {
    summary: 'creates, updates, lists of 5,000 pods and 100 watchers over HTTPS, beside bare NATS KV writes',
    load: async () => (await import('./api.ts')).apiBenchmark,
  },
};

const resultsFolder = join(import.meta.dirname, 'results');

async function measure(name: string, repeats: number): Promise<Record<string, Figure | MissingFigure>> {
  const known = benchmarks[name];
  if (known === undefined) {
    throw new Error(`there is no benchmark '${name}'; there are: ${Object.keys(benchmarks).join(', ')}`);
  }
  const benchmark = await known.load();
  const inputs = await benchmark.run({ repeats, progress: (line) => process.stderr.write(`${name}: ${line}\n`) });
  return Object.fromEntries(
    Object.entries(inputs).map(([key, input]) => [key, 'missing' in input ? input : summarize(input)]),
  );
}

function keepResult(name: string, figures: Record<string, Figure | MissingFigure>): string {
  mkdirSync(resultsFolder, { recursive: true });
  const at = new Date().toISOString();
  const path = join(resultsFolder, `${name}-${at.replaceAll(':', '')}.json`);
  writeFileSync(path, `${JSON.stringify({ bench: name, at, machine: describeMachine(), figures }, null, 2)}\n`);
  return path;
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number from 1');
  return value;
}

const listing = Object.entries(benchmarks).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`);

const program = new Command('bench')
  .argument('<names...>', 'which benchmarks to run, in order')
  .option('--repeats <n>', 'how often each quantity is measured', positiveInteger, 5)
  .addHelpText(
    'after',
    `\nBenchmarks:\n${listing.join('\n')}\n\nExamples:\n  npm run bench -- start\n  npm run bench -- start --repeats 9`,
  )
  .action(async (names: string[], options: { repeats: number }) => {
    const jsonLines: string[] = [];
    for (const name of names) {
      const figures = await measure(name, options.repeats);
      const path = keepResult(name, figures);
      process.stdout.write(`${renderTable(name, figures)}\nkept in ${path}\n\n`);
      jsonLines.push(renderJsonLine(name, figures));
    }
    process.stdout.write(`${jsonLines.join('\n')}\n`);
  });

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
