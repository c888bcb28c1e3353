/** The options of `podwire link set` that say what is wrong with a link, named as tc-netem(8) names them. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type BurstLoss, DISTRIBUTIONS, type ImpairmentChange } from '../../shared/rules/impairment.ts';
import { wholeNumber } from '../commands/cluster-option.ts';
import { parsePercent, parseRate, parseSize, parseTime } from './units.ts';

const MAX_COUNT = 2 ** 32 - 1;

/** Which field of the change each option gives; commander's name of an option is its camel-cased flag. */
const FIELD_OF_OPTION = {
  delay: 'delayUs',
  jitter: 'jitterUs',
  delayCorrelation: 'delayCorrelation',
  distribution: 'distribution',
  keepOrder: 'keepOrder',
  loss: 'loss',
  lossCorrelation: 'lossCorrelation',
  gemodel: 'burstLoss',
  duplicate: 'duplicate',
  duplicateCorrelation: 'duplicateCorrelation',
  reorder: 'reorder',
  reorderCorrelation: 'reorderCorrelation',
  reorderGap: 'reorderGap',
  corrupt: 'corrupt',
  corruptCorrelation: 'corruptCorrelation',
  rate: 'rateBitsPerSecond',
  limit: 'limitPackets',
  limitBytes: 'limitBytes',
  partition: 'partition',
} as const satisfies Readonly<Record<string, keyof ImpairmentChange>>;

export function addImpairmentOptions(command: Command): Command {
  const correlation = 'probability that the decision before is taken again';
  return command
    .option('--delay <time>', 'hold every packet: 20ms', parseTime)
    .option('--jitter <time>', 'vary the delay: 2ms', parseTime)
    .option('--delay-correlation <percent>', correlation, parsePercent)
    .addOption(new Option('--distribution <shape>', 'of the jitter').choices(DISTRIBUTIONS))
    .option('--keep-order', 'jitter lets no packet overtake another')
    .option('--no-keep-order', 'it does (the default, as in netem)')
    .option('--loss <percent>', 'lose packets: 1%', parsePercent)
    .option('--loss-correlation <percent>', correlation, parsePercent)
    .option('--gemodel <p,r,1-h,1-k>', 'lose packets in bursts (Gilbert-Elliott): 1%,10%', parseBurstLoss)
    .option('--duplicate <percent>', 'send packets twice', parsePercent)
    .option('--duplicate-correlation <percent>', correlation, parsePercent)
    .option('--reorder <percent>', 'send packets at once while others wait for the delay', parsePercent)
    .option('--reorder-correlation <percent>', correlation, parsePercent)
    .option('--reorder-gap <n>', 'only every so many-th packet', wholeNumber(1, MAX_COUNT))
    .option('--corrupt <percent>', 'flip a bit, which the checksums find', parsePercent)
    .option('--corrupt-correlation <percent>', correlation, parsePercent)
    .option('--rate <rate>', 'a bottleneck: 10mbit, all headers counted', parseRate)
    .option('--limit <packets>', 'that may wait for the rate (1000)', wholeNumber(0, MAX_COUNT))
    .option('--limit-bytes <size>', 'the same in bytes: 64kb', parseSize)
    .option('--partition', 'let nothing pass')
    .option('--no-partition', 'let packets pass again');
}

/** What was named. */
export function changeOf(options: Readonly<Record<string, unknown>>): ImpairmentChange {
  const named = Object.entries(FIELD_OF_OPTION).filter(([option]) => options[option] !== undefined);
  // Each value was parsed for its own field by the option's parser.
  return Object.fromEntries(named.map(([option, field]) => [field, options[option]])) as ImpairmentChange;
}

/** netem's `loss gemodel p [r [1-h [1-k]]]`, with its defaults. */
function parseBurstLoss(text: string): BurstLoss {
  const parts = text.trim().split(/[\s,]+/);
  if (parts.length > 4 || parts[0] === '') {
    throw new InvalidArgumentError('expected one to four percentages: 1%,10%,100%,0%.');
  }
  const [toBad = 0, toGood = 1 - toBad, lossInBad = 1, lossInGood = 0] = parts.map(parsePercent);
  return { toBad, toGood, lossInBad, lossInGood };
}
