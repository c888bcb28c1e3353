/** awk: `awk [-F fs] [-v name=value]... [-f file | 'program'] [file...]`. */
import { parseOptions, UsageError } from '../options.ts';
import type { Utility } from '../utility.ts';
import { AwkInterpreter } from './interpreter.ts';
import { parseAwk } from './parser.ts';
import { AwkStreams } from './streams.ts';
import { inputValue } from './value.ts';

export const awk: Utility = async (run) => {
  const options = parseOptions(run.args, { values: 'Fvf', permute: false });
  const operands = [...options.operands];
  const files = options.values('f').map((path) => run.context.container.files.readText(run.resolve(path)));
  const source = files.length > 0 ? files.join('\n') : operands.shift();
  if (source === undefined) throw new UsageError("usage: awk [-F fs] [-v var=value] 'program' [file ...]");
  const interpreter = new AwkInterpreter(parseAwk(source), new AwkStreams(run, operands));
  const separator = options.value('F');
  if (separator !== undefined)
    interpreter.setVariable('FS', separator === 't' || separator === '\\t' ? '\t' : separator);
  for (const text of options.values('v')) {
    const equals = text.indexOf('=');
    if (equals < 1) throw new UsageError(`bad assignment '${text}'`);
    interpreter.setVariable(
      text.slice(0, equals),
      text
        .slice(equals + 1)
        .replaceAll('\\n', '\n')
        .replaceAll('\\t', '\t'),
    );
  }
  interpreter.setArray(
    'ENVIRON',
    new Map(Object.entries(run.context.env).map(([name, value]) => [name, inputValue(value)])),
  );
  interpreter.setArray('ARGV', new Map(['awk', ...operands].map((word, index) => [String(index), word])));
  interpreter.setVariable('ARGC', String(operands.length + 1));
  const code = await interpreter.run();
  return code || run.status;
};
