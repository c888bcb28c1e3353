/** `10.244.1.5:80`, `[fd00:10:244:1::5]:80` */
export function endpointText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
