/** The properties of the kubernetes plugin in the Corefile. */
import { type LabelSelector, parseLabelSelector } from '../../../shared/api/label-selector.ts';
import { CorefileError, type Directive } from '../../corefile.ts';
import { durationWord, expectWords, integerWord, unknownProperty, wrong } from '../../directive.ts';
import { parseFallthrough } from '../../fallthrough.ts';
import { zonesOf } from '../../zone.ts';

export interface KubernetesOptions {
  readonly zones: readonly string[];
  readonly pods: 'disabled' | 'insecure' | 'verified';
  readonly endpointPodNames: boolean;
  readonly ttlSeconds: number;
  readonly endpoints: boolean;
  /** Zones whose unknown names go to the next plugin. */
  readonly fallthrough: readonly string[];
  readonly namespaces: readonly string[];
  readonly namespaceLabels: LabelSelector | undefined;
  readonly labels: LabelSelector | undefined;
  readonly ignoreEmptyService: boolean;
  readonly startupTimeoutMs: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const PROPERTIES = [
  'endpoint',
  'tls',
  'kubeconfig',
  'namespaces',
  'namespace_labels',
  'labels',
  'pods',
  'endpoint_pod_names',
  'ttl',
  'noendpoints',
  'fallthrough',
  'ignore',
  'startup_timeout',
];

export function parseKubernetesOptions(directive: Directive, serverZones: readonly string[]): KubernetesOptions {
  const zones =
    directive.words.length === 0 ? serverZones : directive.words.flatMap((word) => zonesOf(word, directive));
  const options: Mutable<KubernetesOptions> = {
    zones,
    pods: 'disabled',
    endpointPodNames: false,
    ttlSeconds: 5,
    endpoints: true,
    fallthrough: [],
    namespaces: [],
    namespaceLabels: undefined,
    labels: undefined,
    ignoreEmptyService: false,
    startupTimeoutMs: 5000,
  };
  for (const property of directive.block ?? []) readProperty(property, options);
  if (options.namespaces.length > 0 && options.namespaceLabels !== undefined) {
    throw new CorefileError(directive, "'namespaces' and 'namespace_labels' exclude each other");
  }
  return options;
}

function readProperty(property: Directive, options: Mutable<KubernetesOptions>): void {
  switch (property.name) {
    case 'endpoint':
    case 'tls':
    case 'kubeconfig':
      // The cluster's objects come over the cluster's own bus, whatever API server is named here.
      return;
    case 'multicluster':
      throw new CorefileError(
        property,
        "'multicluster' needs ServiceImports, which this cluster does not have: remove the line",
      );
    case 'namespaces':
      expectWords(property, 1, Number.POSITIVE_INFINITY, 'one or more namespaces');
      options.namespaces = property.words;
      return;
    case 'namespace_labels':
      options.namespaceLabels = selector(property);
      return;
    case 'labels':
      options.labels = selector(property);
      return;
    case 'pods':
      options.pods = podMode(property);
      return;
    case 'endpoint_pod_names':
      expectWords(property, 0, 0, 'no argument');
      options.endpointPodNames = true;
      return;
    case 'ttl':
      expectWords(property, 1, 1, 'one number of seconds');
      options.ttlSeconds = integerWord(property, 0, 0, 3600);
      return;
    case 'noendpoints':
      expectWords(property, 0, 0, 'no argument');
      options.endpoints = false;
      return;
    case 'fallthrough':
      options.fallthrough = parseFallthrough(property);
      return;
    case 'ignore':
      if (property.words.join(' ') !== 'empty_service') throw wrong(property, "'empty_service'");
      options.ignoreEmptyService = true;
      return;
    case 'startup_timeout':
      options.startupTimeoutMs = durationWord(property, 0);
      return;
    default:
      throw unknownProperty(property, PROPERTIES);
  }
}

function selector(property: Directive): LabelSelector {
  expectWords(property, 1, Number.POSITIVE_INFINITY, 'a label selector such as app=web');
  try {
    return parseLabelSelector(property.words.join(' '));
  } catch (error) {
    throw new CorefileError(property, `${error instanceof Error ? error.message : String(error)}`);
  }
}

function podMode(property: Directive): KubernetesOptions['pods'] {
  const [mode] = property.words;
  if (mode === 'disabled' || mode === 'insecure' || mode === 'verified') return mode;
  throw wrong(property, 'one of disabled, insecure, verified');
}
