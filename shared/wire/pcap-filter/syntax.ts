/** What a filter says, as a tree. */

export type Direction = 'src' | 'dst' | 'src or dst' | 'src and dst';

/** Protocols whose header bytes can be named: `tcp[13]`. */
export type ByteBase = 'ether' | 'ip' | 'ip6' | 'arp' | 'rarp' | 'tcp' | 'udp' | 'sctp' | 'icmp' | 'icmp6' | 'igmp';

export type Operator = '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' | '<<' | '>>';
export type Comparison = '=' | '!=' | '<' | '>' | '<=' | '>=';

/** Unsigned 32-bit, as in the kernel's filters. */
export type Arithmetic =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'length' }
  | { readonly kind: 'load'; readonly base: ByteBase; readonly offset: Arithmetic; readonly bytes: 1 | 2 | 4 }
  | {
      readonly kind: 'binary';
      readonly operator: Operator;
      readonly left: Arithmetic;
      readonly right: Arithmetic;
    };

export type Primitive =
  /** An address under a mask; `within` restricts it to one protocol, else IPv4 and ARP are looked at. */
  | {
      readonly kind: 'net';
      readonly direction: Direction;
      readonly within?: 'ip' | 'arp' | 'rarp';
      readonly address: number;
      readonly mask: number;
    }
  /** Four words of an IPv6 address, under four words of mask. */
  | {
      readonly kind: 'net6';
      readonly direction: Direction;
      readonly address: readonly number[];
      readonly mask: readonly number[];
    }
  | { readonly kind: 'mac'; readonly direction: Direction; readonly address: number }
  /** IP protocol numbers of the transports that are looked at; both ends of the range belong to it. */
  | {
      readonly kind: 'port';
      readonly direction: Direction;
      readonly transports: readonly number[];
      readonly first: number;
      readonly last: number;
    }
  | { readonly kind: 'ethertype'; readonly type: number }
  | { readonly kind: 'ip-protocol'; readonly family: 4 | 6 | 'any'; readonly protocol: number }
  | { readonly kind: 'group'; readonly layer: 'ether' | 'ip' | 'ip6'; readonly what: 'broadcast' | 'multicast' }
  /** What stands after it in the text is about the packet inside. */
  | { readonly kind: 'inside'; readonly what: 'vlan' | 'vxlan' | 'geneve'; readonly id?: number }
  | { readonly kind: 'travels'; readonly outbound: boolean }
  | {
      readonly kind: 'relation';
      readonly comparison: Comparison;
      readonly left: Arithmetic;
      readonly right: Arithmetic;
    };

export type Expression =
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'not'; readonly operand: Expression }
  | Primitive;
