import { describe, expect, it } from 'vitest';
import { DnsTimeoutError } from '../../../shared/podnet/dns-query.ts';
import { upstreamError } from './upstream-error.ts';

const failed = (code: string): Error => Object.assign(new Error('no'), { code });

describe('what an upstream did', () => {
  it.each([
    ['udp', new DnsTimeoutError('late'), 'read udp 192.0.2.1:53: i/o timeout'],
    ['tcp', new DnsTimeoutError('late'), 'read tcp 192.0.2.1:53: i/o timeout'],
    ['tcp', new DnsTimeoutError('late', true), 'dial tcp 192.0.2.1:53: i/o timeout'],
    ['udp', failed('ECONNREFUSED'), 'read udp 192.0.2.1:53: read: connection refused'],
    ['tcp', failed('ECONNRESET'), 'read tcp 192.0.2.1:53: read: connection reset by peer'],
    ['tcp', failed('ENETUNREACH'), 'dial tcp 192.0.2.1:53: connect: network is unreachable'],
    ['udp', failed('EWHATEVER'), 'no'],
  ] as const)('%s %s: %s', (transport, error, text) => {
    expect(upstreamError(error, transport, '192.0.2.1:53')).toMatchObject({ message: text });
  });
});
