/** What a server of HTTP/2 says that would have HTTP/1.1 used (RFC 9113 sections 4.1, 6.5 and 6.8), and then ends. */
const HEADER_BYTES = 9;
const [SETTINGS, GOAWAY] = [4, 7];
const HTTP_1_1_REQUIRED = 0xd;
/** The last stream that was looked at, none, and why. */
const GOAWAY_BYTES = 8;

/** Both frames that are due; `text` is for people. */
export function http2Refusal(text: string): Uint8Array {
  const debugData = new TextEncoder().encode(text);
  const bytes = new Uint8Array(2 * HEADER_BYTES + GOAWAY_BYTES + debugData.length);
  bytes[3] = SETTINGS;
  const goaway = bytes.subarray(HEADER_BYTES);
  const view = new DataView(goaway.buffer, goaway.byteOffset);
  view.setUint16(1, GOAWAY_BYTES + debugData.length);
  view.setUint8(3, GOAWAY);
  view.setUint32(HEADER_BYTES + 4, HTTP_1_1_REQUIRED);
  goaway.set(debugData, HEADER_BYTES + GOAWAY_BYTES);
  return bytes;
}
