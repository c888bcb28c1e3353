/** Built-ins that exist as programs too: `kubectl exec POD -- echo hi`. */
import type { Program } from '../image.ts';
import { BUILTINS } from './builtins/table.ts';
import { endOf } from './evaluator.ts';
import { shellFor } from './sh.ts';

export function builtinProgram(name: string): Program {
  return async (context) => {
    const shell = shellFor(context);
    try {
      return (await BUILTINS[name]?.(shell, context.argv.slice(1))) ?? 127;
    } catch (flow) {
      return (await endOf(shell, flow)) ?? 1;
    } finally {
      shell.descriptors.dispose();
    }
  };
}
