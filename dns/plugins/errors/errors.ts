/** Prints what went wrong while a query was answered, and answers SERVFAIL. */
import type { Timer } from '../../../shared/runtime/clock.ts';
import { CorefileError, type Directive } from '../../corefile.ts';
import { durationWord, expectWords, unknownProperty, wrong } from '../../directive.ts';
import { emptyReply, type Reply } from '../../message.ts';
import type { LogLevel, PluginContext, PluginSetup, Query } from '../../plugin.ts';
import { shownType } from '../../record-type.ts';

interface Consolidation {
  readonly intervalMs: number;
  readonly pattern: RegExp;
  readonly level: LogLevel;
  count: number;
  timer: Timer | undefined;
}

const LEVELS: Readonly<Record<string, LogLevel>> = {
  warning: 'WARNING',
  error: 'ERROR',
  info: 'INFO',
  debug: 'DEBUG',
};

export const setupErrors: PluginSetup = (directive, context) => {
  expectWords(directive, 0, 1, 'no argument');
  const consolidations = (directive.block ?? []).flatMap((property) => {
    if (property.name === 'stacktrace') return [];
    if (property.name !== 'consolidate') throw unknownProperty(property, ['consolidate', 'stacktrace']);
    return [consolidation(property)];
  });
  const showsStack =
    directive.block?.some(({ name }) => name === 'stacktrace') ||
    context.directives.some(({ name }) => name === 'debug');
  const failed = ({ question: { name, type } }: Query, error: unknown): Reply => {
    const text = error instanceof Error ? error.message : String(error);
    report(`plugin/errors: 2 ${name}. ${shownType(type)}: ${text}`, consolidations, context);
    if (showsStack && error instanceof Error) context.print('DEBUG', error.stack ?? text);
    return emptyReply('SERVFAIL');
  };
  return {
    handler: (next) => (query) => {
      try {
        const answering = next(query);
        return answering instanceof Promise ? answering.catch((error: unknown) => failed(query, error)) : answering;
      } catch (error) {
        return failed(query, error);
      }
    },
    stop() {
      for (const one of consolidations) tell(one, context.print);
    },
  };
};

/** `consolidate 5m ".* i/o timeout$" warning`: one line with a count instead of many. */
function consolidation(property: Directive): Consolidation {
  expectWords(property, 2, 3, 'a duration, a regular expression and a level');
  const level = LEVELS[property.words[2] ?? 'error'];
  if (level === undefined) throw wrong(property, 'one of the levels warning, error, info, debug');
  try {
    return {
      intervalMs: durationWord(property, 0),
      pattern: new RegExp(property.words[1] ?? ''),
      level,
      count: 0,
      timer: undefined,
    };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new CorefileError(property, `${error.message}`);
  }
}

function report(text: string, consolidations: readonly Consolidation[], { clock, print }: PluginContext): void {
  const one = consolidations.find(({ pattern }) => pattern.test(text));
  if (one === undefined) {
    print('ERROR', text);
    return;
  }
  if (one.count++ > 0) return;
  one.timer = clock.setTimer(one.intervalMs, () => tell(one, print));
}

function tell(one: Consolidation, print: PluginContext['print']): void {
  one.timer?.cancel();
  if (one.count === 0) return;
  const like = `errors like '${one.pattern.source}' occurred in last ${one.intervalMs / 1000}s`;
  print(one.level, `plugin/errors: ${one.count} ${like}`);
  one.count = 0;
}
