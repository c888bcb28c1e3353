import { expect, test } from 'vitest';
import { DEFAULT_MAX_PODS, MOST_PODS_A_NODE, nodeBlocks, nodeMaskSize } from './node-block.ts';

test.each([
  [1, 24],
  [DEFAULT_MAX_PODS, 24],
  [253, 24],
  [254, 23],
  [400, 23],
  [509, 23],
  [510, 22],
  [MOST_PODS_A_NODE, 20],
])('%i pods a node need a /%i', (maxPods, mask) => {
  expect(nodeMaskSize(maxPods)).toBe(mask);
});

test('larger blocks are fewer', () => {
  expect(nodeBlocks(16, DEFAULT_MAX_PODS)).toBe(256);
  expect(nodeBlocks(16, MOST_PODS_A_NODE)).toBe(16);
});
