/**
 * Whom a start is told to: the terminal, or (when it runs detached) the command that waits for it, over IPC, which prints
 * it the same way.
 */
import { isJsonObject } from '../../shared/api/object.ts';
import { type OutputFormat, print, printJson, secondsText } from '../output.ts';

export interface StartedCluster {
  readonly cluster: string;
  readonly kubeconfig: string;
  readonly pid: number;
}

export interface StartReporter {
  progress(text: string): void;
  /** Also later, for as long as the cluster runs. */
  warning(text: string): void;
  ready(started: StartedCluster): void;
}

/** Times count from the start of this process. */
export function terminalReporter(output: OutputFormat): StartReporter {
  return {
    progress: (text) => {
      if (output === 'text') print(`${secondsText(performance.now()).padStart(8)}  ${text}`);
    },
    warning: (text) => void process.stderr.write(`podwire: ${text}\n`),
    ready: (started) => {
      const startMs = Math.round(performance.now());
      if (output === 'json') {
        printJson({ ...started, startMs });
        return;
      }
      print(`\ncluster '${started.cluster}' is ready after ${secondsText(startMs)}\n`);
      print(`export KUBECONFIG=${shellQuoted(started.kubeconfig)}`);
      print('kubectl get pods -A -o wide\n');
    },
  };
}

function shellQuoted(text: string): string {
  return /^[\w./@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

export type StartMessage =
  | { readonly type: 'progress' | 'warning' | 'failed'; readonly text: string }
  | { readonly type: 'ready'; readonly started: StartedCluster };

/** Tells the parent as long as it listens; everything also goes to the log, which is our standard output. */
export function parentReporter(): StartReporter & { failed(text: string): void } {
  const tell = (message: StartMessage): void => {
    process.stdout.write(`${new Date().toISOString()} ${JSON.stringify(message)}\n`);
    if (process.connected) process.send?.(message);
  };
  return {
    progress: (text) => tell({ type: 'progress', text }),
    warning: (text) => tell({ type: 'warning', text }),
    ready: (started) => tell({ type: 'ready', started }),
    failed: (text) => tell({ type: 'failed', text }),
  };
}

export function decodeStartMessage(value: unknown): StartMessage | undefined {
  if (!isJsonObject(value)) return undefined;
  const { type, text, started } = value;
  if ((type === 'progress' || type === 'warning' || type === 'failed') && typeof text === 'string')
    return { type, text };
  if (type !== 'ready' || !isJsonObject(started)) return undefined;
  const { cluster, kubeconfig, pid } = started;
  if (typeof cluster !== 'string' || typeof kubeconfig !== 'string' || typeof pid !== 'number') return undefined;
  return { type, started: { cluster, kubeconfig, pid } };
}
