/** The load balancer maps as `cilium-dbg bpf lb list` prints them. */
import type { BpfService } from '../../../shared/rules/bpf.ts';
import { formatEndpoint, type IpFamily } from '../../../shared/wire/ip-address.ts';
import type { RuleFamilies } from '../rule-families.ts';

const HEAD = ['SERVICE ADDRESS', 'BACKEND ADDRESS (REVNAT_ID) (SLOT)'] as const;

/** `[::]` stands for no address, as 0.0.0.0 does. */
const NOWHERE: Readonly<Record<IpFamily, string>> = { ipv4: '0.0.0.0', ipv6: '[::]' };

export function formatFrontends(rules: RuleFamilies): string {
  const services = (['ipv4', 'ipv6'] as const).flatMap((family) =>
    (rules[family].bpf?.list() ?? []).map((service) => ({ service, nowhere: NOWHERE[family] })),
  );
  const rows = services.flatMap(({ service, nowhere }, index) => rowsOf(service, nowhere, index + 1));
  const width = Math.max(HEAD[0].length, ...rows.map(([frontend]) => frontend.length)) + 3;
  return [HEAD, ...rows].map(([frontend, backend]) => `${frontend.padEnd(width)}${backend}\n`).join('');
}

/** Slot 0 is the Service itself. A frontend has a scope for the node's own traffic where that has other backends. */
function rowsOf(service: BpfService, nowhere: string, id: number): (readonly [string, string])[] {
  const { address, port, protocol, type, internal, external } = service;
  const at = address === 0 ? `${nowhere}:${port}` : formatEndpoint(address, port);
  const frontend = `${at}/${protocol.toUpperCase()}`;
  const routable = type === 'ClusterIP' ? ', non-routable' : '';
  const affinity = service.affinitySeconds === undefined ? '' : ', sessionAffinity';
  const ranges = service.sourceRanges === undefined ? '' : ', check source-range';
  const hasScopes = JSON.stringify(internal) !== JSON.stringify(external);
  const scopes = hasScopes
    ? ([
        ['', external],
        ['/i', internal],
      ] as const)
    : ([['', internal]] as const);
  return scopes.flatMap(([scope, backends]) => [
    [
      `${frontend}${scope} (0)`,
      `${nowhere}:0 (${id}) (0) [${type}${hasScopes ? ', Local' : ''}${routable}${affinity}${ranges}]`,
    ] as const,
    ...backends.map(
      (backend, slot) =>
        [
          `${frontend}${scope} (${slot + 1})`,
          `${formatEndpoint(backend.address, backend.port)}/${protocol.toUpperCase()} (${id}) (${slot + 1})`,
        ] as const,
    ),
  ]);
}
