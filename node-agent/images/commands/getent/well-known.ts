/** The part of /etc/services, /etc/protocols and /etc/networks that people look up in a pod (IANA's registries). */

export interface WellKnown {
  readonly name: string;
  /** `80/tcp`, a protocol's number, or a network's address. */
  readonly value: string;
  readonly aliases: readonly string[];
}

const entry = (name: string, value: string, ...aliases: string[]): WellKnown => ({ name, value, aliases });

export const SERVICES: readonly WellKnown[] = [
  entry('echo', '7/tcp'),
  entry('echo', '7/udp'),
  entry('ftp', '21/tcp'),
  entry('ssh', '22/tcp'),
  entry('telnet', '23/tcp'),
  entry('smtp', '25/tcp', 'mail'),
  entry('domain', '53/tcp'),
  entry('domain', '53/udp'),
  entry('tftp', '69/udp'),
  entry('http', '80/tcp', 'www'),
  entry('kerberos', '88/tcp', 'kerberos5', 'krb5', 'kerberos-sec'),
  entry('ntp', '123/udp'),
  entry('imap2', '143/tcp', 'imap'),
  entry('snmp', '161/udp'),
  entry('bgp', '179/tcp'),
  entry('ldap', '389/tcp'),
  entry('https', '443/tcp'),
  entry('https', '443/udp'),
  entry('syslog', '514/udp'),
  entry('ldaps', '636/tcp'),
  entry('domain-s', '853/tcp'),
  entry('mysql', '3306/tcp'),
  entry('postgresql', '5432/tcp', 'postgres'),
  entry('amqp', '5672/tcp'),
  entry('redis', '6379/tcp'),
  entry('http-alt', '8080/tcp', 'webcache'),
];

export const PROTOCOLS: readonly WellKnown[] = [
  entry('ip', '0', 'IP'),
  entry('icmp', '1', 'ICMP'),
  entry('tcp', '6', 'TCP'),
  entry('udp', '17', 'UDP'),
  entry('ipv6-icmp', '58', 'IPv6-ICMP'),
  entry('sctp', '132', 'SCTP'),
];

export const NETWORKS: readonly WellKnown[] = [
  entry('default', '0.0.0.0'),
  entry('loopback', '127.0.0.0'),
  entry('link-local', '169.254.0.0'),
];
