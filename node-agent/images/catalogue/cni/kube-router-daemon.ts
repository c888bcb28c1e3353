/** The program of the image kube-router: `--overlay-type=subnet|full`, `--enable-overlay=false`. */
import { DaemonConfigurationError, networkDaemon } from './network-daemon.ts';

export const kubeRouter = networkDaemon({
  request: ({ argv }) => ({ plugin: 'kube-router', backend: backendOf(argv) }),
  before: () => [['kube-router.go:61', 'Running /usr/local/bin/kube-router version v2.4.0, built by podwire']],
  after: (_, podCidr, { container }) => [
    ['network_routes_controller.go:1', `Announcing ${podCidr} of ${container.nodeName} to the nodes of AS 64512`],
    ['network_routes_controller.go:1', 'Starting network route controller'],
    ['network_policy_controller.go:1', 'Starting network policy controller'],
  ],
});

function backendOf(argv: readonly string[]): string {
  if (argv.includes('--enable-overlay=false')) return 'none';
  const type = argv.find((word) => word.startsWith('--overlay-type='))?.split('=')[1] ?? 'subnet';
  if (type === 'subnet') return 'ipip-cross-subnet';
  if (type === 'full') return 'ipip';
  throw new DaemonConfigurationError(`--overlay-type=${type}: there are subnet and full`);
}
