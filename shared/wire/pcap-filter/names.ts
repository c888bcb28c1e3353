/** Names that filters know for numbers (pcap-filter(7)): protocols, services, header fields and their values. */
import * as ethernet from '../ethernet.ts';

export const ETHERTYPES: Readonly<Record<string, number>> = {
  ip: ethernet.TYPE_IPV4,
  ip6: ethernet.TYPE_IPV6,
  arp: ethernet.TYPE_ARP,
  rarp: 0x8035,
  lldp: 0x88cc,
};

export const ICMP = 1;
export const TCP = 6;
export const UDP = 17;
export const ICMP6 = 58;
export const SCTP = 132;

/** Those that stand for both IP versions, and those that belong to one. */
export const IP_PROTOCOLS: Readonly<Record<string, { readonly family: 4 | 6 | 'any'; readonly protocol: number }>> = {
  tcp: { family: 'any', protocol: TCP },
  udp: { family: 'any', protocol: UDP },
  sctp: { family: 'any', protocol: SCTP },
  icmp: { family: 4, protocol: ICMP },
  icmp6: { family: 6, protocol: ICMP6 },
  igmp: { family: 4, protocol: 2 },
  gre: { family: 'any', protocol: 47 },
  esp: { family: 'any', protocol: 50 },
  ah: { family: 'any', protocol: 51 },
  ipip: { family: 4, protocol: 4 },
  igrp: { family: 4, protocol: 9 },
  pim: { family: 'any', protocol: 103 },
  vrrp: { family: 4, protocol: 112 },
};

/** tcpdump's words for what no network here carries. */
export const UNSUPPORTED: ReadonlySet<string> = new Set(
  [
    'mpls pppoed pppoes protochain gateway carp decnet atalk aarp ipx iso clnp esis isis stp netbeui lat sca',
    'moprc mopdl type subtype dir wlan ppp slip ifname on rnr rulenum reason rset ruleset srnr subrulenum action',
    'lane llc fddi tr',
  ].flatMap((line) => line.split(' ')),
);

export const SERVICES: Readonly<Record<string, number>> = {
  'ftp-data': 20,
  ftp: 21,
  ssh: 22,
  telnet: 23,
  smtp: 25,
  domain: 53,
  bootps: 67,
  bootpc: 68,
  http: 80,
  ntp: 123,
  bgp: 179,
  https: 443,
  mysql: 3306,
  vxlan: 4789,
  postgresql: 5432,
  geneve: 6081,
  redis: 6379,
  'http-alt': 8080,
};

export const FIELD_VALUES: Readonly<Record<string, number>> = {
  tcpflags: 13,
  'tcp-fin': 0x01,
  'tcp-syn': 0x02,
  'tcp-rst': 0x04,
  'tcp-push': 0x08,
  'tcp-ack': 0x10,
  'tcp-urg': 0x20,
  'tcp-ece': 0x40,
  'tcp-cwr': 0x80,
  icmptype: 0,
  icmpcode: 1,
  'icmp-echoreply': 0,
  'icmp-unreach': 3,
  'icmp-sourcequench': 4,
  'icmp-redirect': 5,
  'icmp-echo': 8,
  'icmp-routeradvert': 9,
  'icmp-routersolicit': 10,
  'icmp-timxceed': 11,
  'icmp-paramprob': 12,
  'icmp-tstamp': 13,
  'icmp-tstampreply': 14,
  icmp6type: 0,
  icmp6code: 1,
  'icmp6-destinationunreach': 1,
  'icmp6-packettoobig': 2,
  'icmp6-timeexceeded': 3,
  'icmp6-parameterproblem': 4,
  'icmp6-echo': 128,
  'icmp6-echoreply': 129,
  'icmp6-routersolicit': 133,
  'icmp6-routeradvert': 134,
  'icmp6-neighborsolicit': 135,
  'icmp6-neighboradvert': 136,
};
