import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  /** `info` by default. */
  readonly level?: LogLevel;
  /** Where lines go; standard output by default, written synchronously so that a killed process loses none. */
  readonly destination?: DestinationStream;
}

/** A logger that writes one JSON object a line, with the component's name in `component`. */
export function createLogger(component: string, options: LogOptions = {}): Logger {
  const destination = options.destination ?? standardOutput();
  return pino(
    {
      level: options.level ?? 'info',
      base: { component },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // `error` is how this project names a caught error; pino's own key is `err`.
      serializers: { error: pino.stdSerializers.err },
    },
    destination,
  );
}

/** Written synchronously. */
export function standardOutput(): DestinationStream {
  return pino.destination({ fd: 1, sync: true });
}

/** For tests and for library calls whose caller has no log. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}
