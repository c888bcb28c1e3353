/** IP addresses and ranges in text form. */
import { Validator } from 'ip-num';

export function isIpv4(text: string): boolean {
  return Validator.isValidIPv4String(text)[0];
}

export function isIpv6(text: string): boolean {
  return text.includes(':') && !text.includes('%') && Validator.isValidIPv6String(text)[0];
}

export function isIp(text: string): boolean {
  return isIpv4(text) || isIpv6(text);
}

export function isCidr(text: string): boolean {
  if (text.includes(':')) return !text.includes('%') && Validator.isValidIPv6CidrNotation(text)[0];
  return Validator.isValidIPv4CidrNotation(text)[0];
}

export function ipErrors(text: string): string[] {
  return isIp(text) ? [] : ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'];
}

export function cidrErrors(text: string): string[] {
  return isCidr(text) ? [] : ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'];
}

/** Addresses that cannot be endpoints of a Service, with the text that says why; empty for others. */
export function notAnEndpointErrors(text: string): string[] {
  if (!isIp(text)) return ipErrors(text);
  const address = text.toLowerCase();
  if (address === '0.0.0.0' || address === '::') return ['may not be unspecified (0.0.0.0 or ::)'];
  if (address.startsWith('127.') || address === '::1') {
    return ['may not be in the loopback range (127.0.0.0/8, ::1/128)'];
  }
  if (address.startsWith('169.254.') || /^fe[89ab]/.test(address)) {
    return ['may not be in the link-local range (169.254.0.0/16, fe80::/10)'];
  }
  if (address.startsWith('224.0.0.') || /^ff.2:/.test(address)) {
    return ['may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'];
  }
  return [];
}
