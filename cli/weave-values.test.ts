import { expect, it } from 'vitest';
import { weaveValues } from './weave-values.ts';

it("are the environment of weave's router", () => {
  expect(weaveValues(['env.WEAVE_PASSWORD=a=b c', 'env.WEAVE_NO_FASTDP=1'])).toEqual({
    WEAVE_PASSWORD: 'a=b c',
    WEAVE_NO_FASTDP: '1',
  });
});

it('another name is refused, without its value', () => {
  expect(() => weaveValues(['password=secret'])).toThrow(
    /^--set password: of weave's values there are env\.WEAVE_PASSWORD, env\.WEAVE_NO_FASTDP here$/,
  );
});
