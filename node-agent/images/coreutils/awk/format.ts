/** awk's `printf` and `sprintf`. */
import { floatText } from '../../shell/builtins/echo.ts';
import { toNumber, toText, type Value } from './value.ts';

/** sprintf: the format, then its values. */
export function formatValues([format, ...values]: readonly Value[]): string {
  let next = 0;
  const take = (): Value => values[next++];
  return toText(format).replace(
    /%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?[hlL]*([diouxXeEfFgGcs%])/g,
    (whole, flags: string, widthText: string | undefined, precisionText: string | undefined, conversion: string) => {
      if (conversion === '%') return '%';
      const width = widthText === '*' ? toNumber(take()) : Number(widthText ?? 0);
      const hasPrecision = /\./.test(whole);
      const precision = precisionText === '*' ? toNumber(take()) : Number(precisionText ?? 0);
      const body = formatValue(conversion, flags, hasPrecision ? precision : undefined, take());
      if (flags.includes('-')) return body.padEnd(width);
      if (!flags.includes('0') || 'cs'.includes(conversion)) return body.padStart(width);
      const sign = /^[-+ ]/.exec(body)?.[0] ?? '';
      return sign + body.slice(sign.length).padStart(width - sign.length, '0');
    },
  );
}

function formatValue(conversion: string, flags: string, precision: number | undefined, value: Value): string {
  switch (conversion) {
    case 's':
      return toText(value).slice(0, precision);
    case 'c':
      return typeof value === 'number' ? String.fromCodePoint(Math.max(0, Math.trunc(value))) : toText(value).charAt(0);
    case 'd':
    case 'i':
    case 'u': {
      const number = Math.trunc(toNumber(value));
      const sign = number < 0 ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
      return sign + toText(Math.abs(number)).padStart(precision ?? 0, '0');
    }
    case 'o':
      return Math.trunc(toNumber(value)).toString(8);
    case 'x':
      return Math.trunc(toNumber(value)).toString(16);
    case 'X':
      return Math.trunc(toNumber(value)).toString(16).toUpperCase();
    default:
      return floatText(toNumber(value), conversion, flags, precision ?? 6);
  }
}
