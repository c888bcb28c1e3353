import { describe, expect, it } from 'vitest';
import { TestNetwork } from '../../shared/netstack/network.testkit.ts';
import { parseIpv4 } from '../../shared/wire/address.ts';
import { podKernelView } from './kernel-view.ts';

const network = new TestNetwork();
const host = network.host('pod');
network.join(host, '10.244.1.5/24', network.host('other'), '10.244.1.6/24');

function table(name: string): string {
  return podKernelView(host).run(['cat', `/proc/net/${name}`]).stdout;
}

describe('/proc/net', () => {
  it("has sockets in the kernel's words", () => {
    host.tcp.listen({ port: 8080, address: parseIpv4('10.244.1.5')! });
    host.udp.bind({ port: 53, address: parseIpv4('10.244.1.5')! });
    expect(table('tcp')).toMatch(
      /^ {2}sl {2}local_address rem_address .*inode\n {3}0: 0501F40A:1F90 00000000:0000 0A 00000000:\d{8} 00:00000000 00000000 {5}0 {8}0 0 1 /,
    );
    expect(table('udp')).toMatch(/\n {4}0: 0501F40A:0035 00000000:0000 07 /);
    expect(table('tcp6')).toMatch(/^ {2}sl {2}local_address {25}rem_address .*\n$/);
  });

  it('has devices, routes and neighbours', () => {
    expect(table('dev')).toMatch(/^Inter-\|.*\n face \|bytes.*\n {4}lo: +0 /);
    expect(table('route')).toMatch(
      /^Iface\tDestination.*\n\S+\t0001F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n$/,
    );
    expect(table('arp')).toMatch(/^IP address {7}HW type/);
    expect(table('snmp')).toMatch(/^Ip: Forwarding .*\nIp: 2 64 /);
  });

  it('says that there is no such table', () => {
    expect(podKernelView(host).run(['cat', '/proc/net/nothing'])).toMatchObject({ code: 1, stdout: '' });
    expect(podKernelView(host).run(['cat', '/etc/passwd'])).toMatchObject({ code: 1, stdout: '' });
  });
});
