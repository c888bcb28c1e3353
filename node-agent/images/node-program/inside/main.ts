/**
 * Runs in the process of a Node program before the program does: below Node's public modules, the pod's network, files and
 * name take the place of the machine's.
 */
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import { Resolver } from '../../../../shared/podnet/resolver.ts';
import { nodeOptions, type ProgramPlan } from '../program-plan.ts';
import { installChildProcesses } from './child-processes.ts';
import { installDnsChannel } from './dns-channel.ts';
import { FilePaths, installFilePaths } from './file-paths.ts';
import { installMachineFacts } from './machine-facts.ts';
import { installLookup } from './name-lookup.ts';
import { PodLink } from './pod-link.ts';
import { installTcp } from './tcp-handle.ts';
import { installTls } from './tls-stream.ts';
import { installUdp } from './udp-handle.ts';

/** Called once in each process and thread, by the file that `ProgramPlan.preloadPath` names. */
export function enterPod(plan: ProgramPlan): void {
  const link = new PodLink(plan.socketPath, () => process.kill(process.pid, 'SIGKILL'));
  const hasIpv6 = plan.interfaces.some(({ address, device }) => device !== 'lo' && address.includes(':'));
  const paths = new FilePaths(plan);
  const textOf = (path: string): string => readFileSync(paths.toReal(path), 'utf8');
  const resolver = new Resolver(link.shared, {
    resolvConf: () => textOf('/etc/resolv.conf'),
    hosts: () => textOf('/etc/hosts'),
  });
  installTcp(link, hasIpv6);
  installTls();
  installUdp(link, hasIpv6);
  installLookup(link, resolver);
  installDnsChannel(link, resolver);
  installFilePaths(paths);
  installChildProcesses(plan, paths);
  installMachineFacts(plan);
  if (isMainThread) hideOurOptions(plan.preloadPath);
  syncBuiltinESMExports();
}

/** The program sees what its pod set. */
function hideOurOptions(preloadPath: string): void {
  const theirs = process.env.NODE_OPTIONS?.slice(nodeOptions(preloadPath, undefined).length).trim();
  if (theirs === undefined || theirs === '') delete process.env.NODE_OPTIONS;
  else process.env.NODE_OPTIONS = theirs;
}
