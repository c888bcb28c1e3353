/** The network tools that the images of shells and of tools have beside the coreutils; each is loaded when it first runs. */
import { ALL_NETWORK } from '../commands/toolset.ts';
import type { Program } from '../image.ts';

export const NETWORK_TOOLS: Readonly<Record<string, Program>> = ALL_NETWORK;
