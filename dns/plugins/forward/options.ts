/** The `forward` lines of a Corefile. */
import { CorefileError, type Directive } from '../../corefile.ts';
import { durationWord, expectWords, integerWord, unknownProperty, wrong } from '../../directive.ts';
import { plainName, zonesOf } from '../../zone.ts';

export interface HealthCheck {
  readonly intervalMs: number;
  /** The name that is asked for; empty for the root. */
  readonly domain: string;
  readonly recursionDesired: boolean;
}

export interface ForwardOptions {
  /** Queries of this zone are forwarded; empty for all. */
  readonly from: string;
  readonly policy: 'random' | 'round_robin' | 'sequential';
  /** Health checks that may fail before an upstream is left alone; 0: none is ever. */
  readonly maxFails: number;
  readonly except: readonly string[];
  readonly forceTcp: boolean;
  readonly preferUdp: boolean;
  readonly maxConcurrent: number;
  readonly healthCheck: HealthCheck;
}

const POLICIES = ['random', 'round_robin', 'sequential'] as const;
const HEALTH_CHECK: HealthCheck = { intervalMs: 500, domain: '', recursionDesired: true };
const PROPERTIES = [
  'except',
  'expire',
  'force_tcp',
  'health_check',
  'max_concurrent',
  'max_fails',
  'policy',
  'prefer_udp',
  'tls',
  'tls_servername',
];

export function parseForwardOptions(from: string, directive: Directive): ForwardOptions {
  let options: ForwardOptions = {
    from,
    policy: 'random',
    maxFails: 2,
    except: [],
    forceTcp: false,
    preferUdp: false,
    maxConcurrent: Number.POSITIVE_INFINITY,
    healthCheck: HEALTH_CHECK,
  };
  for (const property of directive.block ?? []) options = { ...options, ...readProperty(property, options) };
  if (options.forceTcp && options.preferUdp) {
    throw new CorefileError(directive, "'force_tcp' and 'prefer_udp' exclude each other");
  }
  return options;
}

function readProperty(property: Directive, { except }: ForwardOptions): Partial<ForwardOptions> {
  switch (property.name) {
    case 'policy': {
      expectWords(property, 1, 1, `one of ${POLICIES.join(', ')}`);
      const policy = POLICIES.find((known) => known === property.words[0]);
      if (policy === undefined) throw wrong(property, `one of ${POLICIES.join(', ')}`);
      return { policy };
    }
    case 'max_fails':
      expectWords(property, 1, 1, 'one number');
      return { maxFails: integerWord(property, 0, 0, 1_000_000) };
    case 'max_concurrent':
      expectWords(property, 1, 1, 'one number');
      return { maxConcurrent: integerWord(property, 0, 0, 10_000_000) || Number.POSITIVE_INFINITY };
    case 'except':
      expectWords(property, 1, Number.POSITIVE_INFINITY, 'one or more zones');
      return { except: [...except, ...property.words.flatMap((word) => zonesOf(word, property))] };
    case 'force_tcp':
      expectWords(property, 0, 0, 'no argument');
      return { forceTcp: true };
    case 'prefer_udp':
      expectWords(property, 0, 0, 'no argument');
      return { preferUdp: true };
    case 'expire':
      // Connections are not kept: the value is checked and has no effect.
      expectWords(property, 1, 1, 'a duration such as 10s');
      durationWord(property, 0);
      return {};
    case 'health_check':
      return { healthCheck: healthCheckOf(property) };
    case 'tls':
    case 'tls_servername':
      throw new CorefileError(property, 'DNS over TLS is not spoken here: name upstreams without tls://');
    default:
      throw unknownProperty(property, PROPERTIES);
  }
}

/** `health_check DURATION [no_rec] [domain FQDN]` */
function healthCheckOf(property: Directive): HealthCheck {
  const form = 'DURATION [no_rec] [domain FQDN]';
  expectWords(property, 1, 4, form);
  let check: HealthCheck = { ...HEALTH_CHECK, intervalMs: durationWord(property, 0) };
  if (check.intervalMs <= 0) throw wrong(property, 'a duration of more than 0s');
  const rest = property.words.slice(1);
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const domain = word === 'domain' ? rest.shift() : undefined;
    if (word === 'no_rec') check = { ...check, recursionDesired: false };
    else if (domain !== undefined) check = { ...check, domain: plainName(domain) };
    else throw wrong(property, form);
  }
  return check;
}
