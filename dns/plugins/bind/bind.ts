/** Listens on these addresses instead of all. */
import { isIP } from 'node:net';
import { expectWords, unknownProperty, wrong } from '../../directive.ts';
import type { PluginSetup } from '../../plugin.ts';

const EXPECTED = 'one or more addresses such as 10.244.1.5';

export const setupBind: PluginSetup = (directive) => {
  const except = new Set<string>();
  for (const property of directive.block ?? []) {
    if (property.name !== 'except') throw unknownProperty(property, ['except']);
    expectWords(property, 1, Number.POSITIVE_INFINITY, EXPECTED);
    for (const word of property.words) except.add(word);
  }
  expectWords(directive, 1, Number.POSITIVE_INFINITY, EXPECTED);
  for (const word of [...directive.words, ...except]) {
    if (isIP(word) === 0)
      throw wrong(directive, `${EXPECTED} instead of '${word}': names of devices are not known here`);
  }
  return { bindAddresses: directive.words.filter((word) => !except.has(word)) };
};
