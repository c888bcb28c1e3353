/**
 * Log lines in the form of Kubernetes' components (klog, structured): what reads the logs of a real kube-proxy reads these.
 *
 *   I1128 19:13:57.123456       1 server_linux.go:165] "Using iptables Proxier" healthPort=10256
 */
import type { DestinationStream } from 'pino';

const SEVERITIES: Readonly<Record<string, string>> = {
  trace: 'I',
  debug: 'I',
  info: 'I',
  warn: 'W',
  error: 'E',
  fatal: 'F',
};

/** Fields that stand in the line's head. */
const HEAD: readonly string[] = ['level', 'time', 'component', 'msg', 'source'];
const PID_WIDTH = 7;

/** Takes a logger's JSON lines; `sink` gets each with its newline. */
export function klogStream(sink: DestinationStream): DestinationStream {
  return { write: (line) => sink.write(`${klogLine(JSON.parse(line) as Record<string, unknown>)}\n`) }; // pino writes objects
}

/** `source` names the place as klog does (`file:line`); without one it is the component. */
export function klogLine(entry: Readonly<Record<string, unknown>>): string {
  const { level, time, component, msg = '', source = `${String(component)}:1` } = entry;
  const [, month, day, clock] = /^\d+-(\d\d)-(\d\d)T(.{12})/.exec(String(time)) ?? ['', '01', '01', '00:00:00.000'];
  const head = `${SEVERITIES[String(level)] ?? 'I'}${month}${day} ${clock}000 ${'1'.padStart(PID_WIDTH)} ${String(source)}]`;
  const fields = Object.entries(entry).filter(([name, value]) => !HEAD.includes(name) && value !== undefined);
  return [head, JSON.stringify(msg), ...fields.map(([name, value]) => `${name}=${formatValue(value)}`)].join(' ');
}

function formatValue(value: unknown): string {
  if (value instanceof Object && 'message' in value) return JSON.stringify(value.message);
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : JSON.stringify(value);
}
