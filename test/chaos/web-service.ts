/** What the asking pods ask: a Service and its servers. */
import type { Deployment } from 'kubernetes-types/apps/v1.js';
import type { Service } from 'kubernetes-types/core/v1.js';

const NAMESPACE = 'default';

export function webService(name: string, clusterIP: string): Service {
  return {
    metadata: { name, namespace: NAMESPACE },
    spec: { clusterIP, selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
  };
}

/** Not on the client's node, so that each request crosses the tunnel. */
export function webDeployment(replicas: number, clientNode: string): Deployment {
  const elsewhere = { key: 'kubernetes.io/hostname', operator: 'NotIn', values: [clientNode] };
  return {
    metadata: { name: 'web', namespace: NAMESPACE },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          terminationGracePeriodSeconds: 0,
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchExpressions: [elsewhere] }],
              },
            },
          },
          containers: [
            {
              name: 'web',
              image: 'registry.k8s.io/e2e-test-images/agnhost:2.53',
              args: ['netexec', '--http-port=8080'],
              readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  };
}
