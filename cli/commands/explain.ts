import { type Command, Option } from 'commander';
import type { Node, Pod } from 'kubernetes-types/core/v1.js';
import type { Bus } from '../../shared/bus/connection.ts';
import { enforcesPolicy, installedOn } from '../../shared/runtime/cni-plugins.ts';
import { withClusterSession } from '../cluster-session.ts';
import { readSettings } from '../cluster-settings.ts';
import type { ClusterObjects } from '../explain/cluster-objects.ts';
import type { Explanation, Step } from '../explain/explain.ts';
import type { ProtocolName } from '../explain/question.ts';
import { print, printJson } from '../output.ts';
import { UserError } from '../user-error.ts';
import { type FormattedOptions, folderOf, formattedCommand } from './cluster-option.ts';

interface ExplainOptions extends FormattedOptions {
  readonly namespace: string;
  readonly protocol: ProtocolName;
  /** False with --no-probe. */
  readonly probe: boolean;
  readonly whatIf?: boolean;
  readonly delete?: boolean;
  readonly filename?: string;
}

export function explainCommand(): Command {
  return formattedCommand({
    name: 'explain',
    summary:
      'Say whether a packet would pass, and which policy, rule, route or missing endpoint decides. Exits with 0 when it would, else 1.',
    examples: [
      ['podwire explain client web:80', 'a Service, or a pod, in the same namespace'],
      ['podwire explain client web.shop.svc.cluster.local:80', "by name, as the cluster's DNS has it"],
      ['podwire explain client svc/web.shop:80', 'a Service, whether the client may ask for its name or not'],
      ['podwire explain shop/cart pod/db-0:5432', 'from a pod of another namespace'],
      ['podwire explain client web:http', 'a port by its name'],
      ['podwire explain client node/worker-1:30080', "a node's port"],
      ['podwire explain client 10.96.0.10:53 --protocol udp', 'an address'],
      ['podwire explain client 10.244.2.7 --protocol icmp -o json', 'what ping would do, as JSON'],
      [
        'podwire explain --what-if -f policy.yaml',
        'which pairs of pods a policy would cut off or join; exits with 1 if any',
      ],
      ['podwire explain --what-if --delete -f policy.yaml', 'which pairs would change if its policies were gone'],
    ],
  })
    .argument('[pod]', 'who sends: a pod, as name or namespace/name')
    .argument('[target]', 'to whom: a Service, a pod, a node or an address, with a port')
    .addOption(
      new Option('--protocol <protocol>', 'of the packet').choices(['tcp', 'udp', 'sctp', 'icmp']).default('tcp'),
    )
    .option('-n, --namespace <namespace>', 'of what is named without one', 'default')
    .option('--no-probe', 'send no test packet, though all that is known would let it pass')
    .option('--what-if', 'what would change if the policies of -f were applied; nothing is')
    .option('--delete', 'with --what-if: if they were deleted instead')
    .option('-f, --filename <file>', 'policies as YAML or JSON; - for standard input')
    .action(async (pod: string | undefined, target: string | undefined, options: ExplainOptions) => {
      if (options.whatIf === true) await whatIf(options);
      else if (options.delete === true) throw new UserError('--delete goes with --what-if -f policy.yaml');
      else await explainOne(pod, target, options);
    });
}

async function explainOne(pod: string | undefined, target: string | undefined, options: ExplainOptions): Promise<void> {
  if (pod === undefined || target === undefined) {
    throw new UserError(
      'who sends to whom? podwire explain POD TARGET:PORT, or podwire explain --what-if -f policy.yaml',
    );
  }
  const [
    { explain, endsOf },
    { probesWorthwhile },
    { parseTarget },
    { readLiveFacts },
    { knownNames },
    { sendProbes },
  ] = await Promise.all([
    import('../explain/explain.ts'),
    import('../explain/worthwhile-probes.ts'),
    import('../explain/target.ts'),
    import('../explain/live-facts.ts'),
    import('../explain/known-names.ts'),
    import('../explain/packet-probes.ts'),
  ]);
  const [name = '', namespace = options.namespace] = pod
    .replace(/^pods?\//, '')
    .split('/')
    .reverse();
  const { protocol } = options;
  const { client, explanation } = await withClusterSession(options, async ({ bus, nodes, running }) => {
    const found = await objectsOf(bus, options);
    const isClient = ({ metadata }: Pod): boolean => metadata?.name === name && metadata.namespace === namespace;
    const client = found.pods.find(isClient);
    if (client === undefined)
      throw new UserError(`there is no pod ${namespace}/${name}: kubectl get pods -A shows all`);
    const objects = { ...found, names: await knownNames(bus, running, found, client) };
    const namespaces = objects.namespaces.map(({ metadata }) => metadata?.name ?? '');
    const wanted = parseTarget(target, namespace, namespaces);
    const question = { client, target: wanted, protocol, enforced: isEnforced(options, objects.nodes) };
    const facts = await readLiveFacts(bus, { nodes, running }, endsOf(objects, question));
    const packets = options.probe ? probesWorthwhile(objects, { ...question, facts }) : [];
    const probes = await sendProbes(bus, running, packets);
    return { client, explanation: explain(objects, { ...question, facts: { ...facts, probes } }) };
  });
  if (options.output === 'json') printJson(explanation);
  else print(explanationText(client, target, protocol, explanation));
  process.exitCode = explanation.passes ? 0 : 1;
}

async function whatIf(options: ExplainOptions): Promise<void> {
  const { filename, namespace } = options;
  if (filename === undefined) throw new UserError('--what-if needs the policies: -f policy.yaml');
  const [{ changesBetween, withoutPolicies, withPolicies }, { changesText }, { readPolicyFile }, { acceptedPolicies }] =
    await Promise.all([
      import('../explain/what-if.ts'),
      import('../explain/changes-table.ts'),
      import('../explain/policy-file.ts'),
      import('../explain/accepted-policies.ts'),
    ]);
  const named = readPolicyFile(filename, namespace);
  const { objects, policies } = await withClusterSession(options, async ({ bus }) => {
    const objects = await objectsOf(bus, options);
    if (options.delete === true) return { objects, policies: withoutPolicies(objects.policies, named) };
    const { createApiClient } = await import('../../shared/bus/api-client.ts');
    const api = createApiClient(bus, { user: 'podwire-cli' });
    const accepted = await acceptedPolicies(api, filename, objects.policies, named);
    return { objects, policies: withPolicies(objects.policies, accepted) };
  });
  const changes = changesBetween(objects, policies);
  if (options.output === 'json') printJson({ changes });
  else print(changesText(changes));
  if (!isEnforced(options, objects.nodes))
    process.stderr.write("the cluster's CNI plugin does not enforce policies: nothing would change\n");
  process.exitCode = changes.length === 0 ? 0 : 1;
}

async function objectsOf(bus: Bus, options: ExplainOptions): Promise<ClusterObjects> {
  const [{ createApiClient }, { readCluster }, { enforcementMode }] = await Promise.all([
    import('../../shared/bus/api-client.ts'),
    import('../explain/cluster-objects.ts'),
    import('../../shared/policy/cilium-enforcement.ts'),
  ]);
  const settings = readSettings(folderOf(options).settingsFile);
  const enforcement = enforcementMode(settings?.cniSettings?.['enable-policy']);
  return { ...(await readCluster(createApiClient(bus, { user: 'podwire-cli' }))), enforcement };
}

/** By what the cluster was started with, or what was installed into it since. */
function isEnforced(options: ExplainOptions, nodes: readonly Node[]): boolean {
  const settings = readSettings(folderOf(options).settingsFile);
  if (settings === undefined) return false;
  return enforcesPolicy(settings.cni === 'none' ? installedOn(nodes) : settings.cni);
}

function explanationText(client: Pod, target: string, protocol: string, explanation: Explanation): string {
  const { namespace, name } = client.metadata ?? {};
  const lines = [`${namespace}/${name} -> ${target} (${protocol}): ${explanation.summary}`, ''];
  lines.push(...explanation.steps.map(stepText));
  for (const { address, steps } of explanation.backends)
    lines.push(`  to ${address}`, ...steps.map((one) => `  ${stepText(one)}`));
  return lines.join('\n');
}

function stepText({ subject, passes, text }: Step): string {
  const sign = passes === null ? '.' : passes ? '+' : 'x';
  return `  ${sign} ${subject.padEnd(7)}  ${text}`;
}
