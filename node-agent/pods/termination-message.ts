/**
 * Why a container ended, in its own words: its termination message file, or the end of its log.
 * https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
 */
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import type { ContainerEnd } from './container-runtime.ts';
import type { StartedContainer } from './container-starter.ts';

export const DEFAULT_TERMINATION_MESSAGE_PATH = '/dev/termination-log';
const MAX_FILE_BYTES = 4096;
const MAX_LOG_LINES = 80;
const MAX_LOG_BYTES = 2048;

export function terminationMessage(spec: Container, ended: StartedContainer, end: ContainerEnd): string | undefined {
  const text = ended.instance.terminationMessage(spec.terminationMessagePath ?? DEFAULT_TERMINATION_MESSAGE_PATH);
  if (text !== '') return text.slice(0, MAX_FILE_BYTES);
  if (spec.terminationMessagePolicy !== 'FallbackToLogsOnError' || end.exitCode === 0) return undefined;
  ended.log.close();
  const lines = [...ended.log.read({ tailLines: MAX_LOG_LINES })].map((entry) =>
    Buffer.from(entry.text).toString('utf8'),
  );
  return lines.join('\n').slice(-MAX_LOG_BYTES) || undefined;
}
