/** Calico's selectors about pods: the pod's labels, those that calico adds, and its namespace's and service account's under a prefix. */
import type { CalicoCluster, Labels } from './calico-cluster.ts';
import { labelsWithin, NAME_LABEL } from './calico-labels.ts';
import { type LabelLookup, parseCalicoSelector, SelectorSyntaxError } from './calico-selector.ts';
import type { PolicyPod } from './policy-pod.ts';
import type { PodExpression } from './policy-rule.ts';

/** Of one side of a rule, or of a policy's subject. Absent parts restrict nothing. */
export interface EntitySelectors {
  readonly selector?: string;
  readonly notSelector?: string;
  readonly namespaceSelector?: string;
  readonly serviceAccounts?: {
    /** None: all. */
    readonly names?: readonly string[];
    readonly selector?: string;
  };
}

const ORCHESTRATOR_LABEL = 'projectcalico.org/orchestrator';
const ACCOUNT_LABEL = 'projectcalico.org/serviceaccount';
const ACCOUNT_PREFIX = 'pcsa.';

/** Undefined where a selector cannot be read. */
export function expressionOf(
  { selector = '', notSelector, namespaceSelector = '', serviceAccounts = {} }: EntitySelectors,
  { accounts }: CalicoCluster,
): PodExpression | undefined {
  const { names = [], selector: accountSelector = '' } = serviceAccounts;
  try {
    const wanted = parseCalicoSelector(selector);
    const unwanted = notSelector === undefined ? undefined : parseCalicoSelector(notSelector);
    const ofNamespace = parseCalicoSelector(namespaceSelector);
    const ofAccount = parseCalicoSelector(accountSelector);
    return {
      text: [selector, notSelector ?? '', namespaceSelector, accountSelector, names.join(' ')].join(' | '),
      covers: (pod, namespaceLabels) => {
        const { namespace, serviceAccount = '' } = pod;
        const accountLabels = accounts.get(`${namespace}/${serviceAccount}`);
        const labels = endpointLabels(pod, namespaceLabels, accountLabels);
        return (
          wanted.matches(labels) &&
          !unwanted?.matches(labels) &&
          (names.length === 0 || names.includes(serviceAccount)) &&
          ofAccount.matches(withName(serviceAccount, accountLabels)) &&
          ofNamespace.matches(withName(namespace, namespaceLabels))
        );
      },
    };
  } catch (error) {
    if (error instanceof SelectorSyntaxError) return undefined;
    throw error;
  }
}

function withName(name: string, labels: Labels | undefined): LabelLookup {
  return (key) => (key === NAME_LABEL ? name : labels?.[key]);
}

function endpointLabels(
  { labels, namespace, serviceAccount }: PolicyPod,
  namespaceLabels: Labels | undefined,
  accountLabels: Labels | undefined,
): LabelLookup {
  const within = labelsWithin(namespace, namespaceLabels, labels);
  return (key) => {
    if (key === ORCHESTRATOR_LABEL) return 'k8s';
    if (key === ACCOUNT_LABEL) return serviceAccount;
    return key.startsWith(ACCOUNT_PREFIX) ? accountLabels?.[key.slice(ACCOUNT_PREFIX.length)] : within(key);
  };
}
