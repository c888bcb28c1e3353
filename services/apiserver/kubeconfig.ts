/** The administrator's kubeconfig file (kubectl's "Organizing Cluster Access Using kubeconfig Files"). */
import type { Pki } from './pki/pki.ts';

export interface KubeconfigSource {
  readonly cluster: string;
  /** `https://127.0.0.1:6443`. */
  readonly server: string;
  readonly pki: Pick<Pki, 'caCertificate' | 'adminCertificate' | 'adminKey' | 'adminToken'>;
}

/**
 * The file's text. It holds both a client certificate and a bearer token: clients behind a proxy that ends TLS have
 * only the token, and some client libraries cannot read certificates.
 */
export function kubeconfigText({ cluster, server, pki }: KubeconfigSource): string {
  const base64 = (pem: string) => Buffer.from(pem).toString('base64');
  const name = JSON.stringify(cluster);
  const user = JSON.stringify(`${cluster}-admin`);
  return `apiVersion: v1
kind: Config
current-context: ${name}
clusters:
- name: ${name}
  cluster:
    server: ${JSON.stringify(server)}
    certificate-authority-data: ${base64(pki.caCertificate)}
contexts:
- name: ${name}
  context:
    cluster: ${name}
    user: ${user}
users:
- name: ${user}
  user:
    client-certificate-data: ${base64(pki.adminCertificate)}
    client-key-data: ${base64(pki.adminKey)}
    token: ${JSON.stringify(pki.adminToken)}
`;
}
