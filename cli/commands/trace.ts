import type { Command } from 'commander';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { withClusterSession } from '../cluster-session.ts';
import { print, printJson } from '../output.ts';
import { UserError } from '../user-error.ts';
import { type FormattedOptions, formattedCommand } from './cluster-option.ts';

interface TraceOptions extends FormattedOptions {
  readonly namespace: string;
  readonly rules?: boolean;
}

export function traceCommand(): Command {
  return formattedCommand({
    name: 'trace',
    summary:
      "Run a command in a pod and show the journey of its packets, hop by hop. Exits with the command's exit code.",
    examples: [
      ['podwire trace client -- curl -s http://web', 'the DNS query, the handshake, the request'],
      ['podwire trace client -n shop -- ping -c 1 10.244.2.3', 'in another namespace'],
      ['podwire trace --rules client -- nc -z web 80', "with kube-proxy's rules"],
      ['podwire trace client -o json -- nslookup web', 'the hops as JSON'],
    ],
  })
    .argument('<pod>', 'a pod that runs')
    .argument('<command...>', 'the command and its arguments, after --')
    .option('--rules', 'also every rule that a packet matched')
    .option('-n, --namespace <namespace>', "the pod's namespace", 'default')
    .action(async (pod: string, command: string[], options: TraceOptions) => {
      process.exitCode = await trace(pod, command, options);
    });
}

async function trace(podName: string, command: readonly string[], options: TraceOptions): Promise<number> {
  const [{ createApiClient }, { PODS }, { runInPod }, { traceWhile }, { journeyText, withoutRules }] =
    await Promise.all([
      import('../../shared/bus/api-client.ts'),
      import('../../shared/api/resources.ts'),
      import('../pod-exec.ts'),
      import('../trace/tracing.ts'),
      import('../trace/journey.ts'),
    ]);
  return withClusterSession(options, async ({ bus, running }) => {
    const pod = await createApiClient(bus, { user: 'podwire-cli' }).get<Pod>(PODS, podName, options.namespace);
    const place = placeOf(pod, podName, options.namespace);
    let result: Awaited<ReturnType<typeof runInPod>> | undefined;
    const whole = await traceWhile(bus, running, [place.address], async () => {
      result = await runInPod(bus, { ...place, namespace: options.namespace, pod: podName }, command);
    });
    const journey = options.rules === true ? whole : withoutRules(whole);
    if (options.output === 'json') printJson({ ...result, ...journey });
    else {
      process.stdout.write(result?.stdout ?? '');
      process.stderr.write(result?.stderr ?? '');
      print(`\n${journeyText(journey)}`);
    }
    if (result?.message !== undefined) throw new UserError(result.message);
    return result?.exitCode ?? 1;
  });
}

function placeOf(pod: Pod, name: string, namespace: string): { node: string; address: string } {
  const node = pod.spec?.nodeName;
  const address = pod.status?.podIP;
  if (node === undefined || address === undefined) {
    throw new UserError(
      `pod ${namespace}/${name} is ${pod.status?.phase ?? 'Pending'} and has no address yet: kubectl describe pod ${name} -n ${namespace}`,
    );
  }
  return { node, address };
}
