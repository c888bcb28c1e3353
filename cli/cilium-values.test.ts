import { describe, expect, it } from 'vitest';
import { ciliumValues } from './cilium-values.ts';

describe('ciliumValues', () => {
  it.each([
    [[], {}],
    [['routingMode=native'], { cniBackend: 'native' }],
    [['routingMode=tunnel'], { cniBackend: 'vxlan' }],
    [['tunnelProtocol=geneve', 'kubeProxyReplacement=true'], { cniBackend: 'geneve', proxyMode: 'ebpf' }],
    [['kubeProxyReplacement=false'], {}],
    [
      ['policyEnforcementMode=always', 'dnsProxy.minTtl=60'],
      { cniSettings: { 'enable-policy': 'always', 'tofqdns-min-ttl': '60' } },
    ],
    [['encryption.enabled=true', 'encryption.type=wireguard', 'routingMode=native'], { cniBackend: 'wireguard' }],
    [
      ['encryption.enabled=true', 'encryption.type=wireguard'],
      { cniBackend: 'vxlan', cniSettings: { 'enable-wireguard': 'true' } },
    ],
    [
      ['tunnelProtocol=geneve', 'encryption.enabled=true', 'encryption.type=wireguard'],
      { cniBackend: 'geneve', cniSettings: { 'enable-wireguard': 'true' } },
    ],
    [['hubble.enabled=true', 'hubble.relay.enabled=true', 'ipam.mode=kubernetes'], {}],
  ])('%j', (assignments, chosen) => {
    expect(ciliumValues(assignments)).toEqual(chosen);
  });

  it.each([
    [['hubble.ui.enabled=true'], "--set hubble.ui.enabled=true: of cilium's values there are routingMode"],
    [['routingMode=bgp'], '--set routingMode=bgp: routingMode may be tunnel or native'],
    [['policyEnforcementMode=off'], 'policyEnforcementMode may be default or always or never'],
    [['dnsProxy.minTtl=1m'], 'dnsProxy.minTtl is a whole number of seconds'],
    [['encryption.enabled=true'], 'say encryption.type=wireguard too'],
    [['routingMode=native', 'tunnelProtocol=vxlan'], 'with routingMode=native there is no tunnel'],
  ])('%j is refused', (assignments, message) => {
    expect(() => ciliumValues(assignments)).toThrow(message);
  });
});
