/** `00:04:10`: how long something has been so. */
export function uptime(elapsedUs: number): string {
  const seconds = Math.floor(elapsedUs / 1e6);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
