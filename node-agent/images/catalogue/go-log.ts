/** How Go's `log` package starts its lines: `2024/05/01 10:00:00 text`, in UTC. */
export function goLogLine(text: string, now = new Date()): string {
  const [date = '', time = ''] = now.toISOString().split('T');
  return `${date.replaceAll('-', '/')} ${time.slice(0, 8)} ${text}`;
}
