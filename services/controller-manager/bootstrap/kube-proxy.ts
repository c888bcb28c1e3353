/** kube-proxy: one pod on the host network of every node. */
import type { DaemonSet } from 'kubernetes-types/apps/v1.js';
import { CONFIGMAPS, DAEMONSETS, SERVICEACCOUNTS } from '../../../shared/api/resources.ts';
import type { Manifest } from './manifest.ts';

const NAMESPACE = 'kube-system';
const LABELS = { 'k8s-app': 'kube-proxy' };
const IMAGE = 'registry.k8s.io/kube-proxy:v1.32.0';

export interface KubeProxyOptions {
  /** One for each address family. */
  readonly podCidrs: readonly string[];
  readonly mode: string;
}

export function kubeProxyManifests({ podCidrs, mode }: KubeProxyOptions): Manifest[] {
  return [
    {
      resource: SERVICEACCOUNTS,
      object: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'kube-proxy', namespace: NAMESPACE } },
    },
    {
      resource: CONFIGMAPS,
      object: {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'kube-proxy', namespace: NAMESPACE, labels: { app: 'kube-proxy' } },
        data: { 'config.conf': configuration(podCidrs.join(','), mode) },
      },
    },
    { resource: DAEMONSETS, object: daemonSet() },
  ];
}

function configuration(podCidr: string, mode: string): string {
  return `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clusterCIDR: ${podCidr}
mode: "${mode}"
iptables:
  localhostNodePorts: null
  masqueradeAll: false
  minSyncPeriod: 100ms
  syncPeriod: 30s
`;
}

function daemonSet(): DaemonSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'kube-proxy', namespace: NAMESPACE, labels: LABELS },
    spec: {
      selector: { matchLabels: LABELS },
      updateStrategy: { type: 'RollingUpdate' },
      template: {
        metadata: { labels: LABELS },
        spec: {
          serviceAccountName: 'kube-proxy',
          priorityClassName: 'system-node-critical',
          hostNetwork: true,
          nodeSelector: { 'kubernetes.io/os': 'linux' },
          tolerations: [{ operator: 'Exists' }],
          containers: [
            {
              name: 'kube-proxy',
              image: IMAGE,
              imagePullPolicy: 'IfNotPresent',
              command: [
                '/usr/local/bin/kube-proxy',
                '--config=/var/lib/kube-proxy/config.conf',
                '--hostname-override=$(NODE_NAME)',
              ],
              env: [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
              volumeMounts: [{ name: 'kube-proxy', mountPath: '/var/lib/kube-proxy' }],
            },
          ],
          volumes: [{ name: 'kube-proxy', configMap: { name: 'kube-proxy' } }],
        },
      },
    },
  };
}
