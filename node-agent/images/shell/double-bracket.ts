/** Bash's `[[ ... ]]`. */
import type { TestExpression } from 'unbash';
import { evaluateArithmeticText } from './arithmetic.ts';
import { testBinary, testUnary } from './builtins/test.ts';
import { expandPattern, expandText } from './expansion.ts';
import { ShellError } from './flow.ts';
import { patternToRegExp } from './pattern.ts';
import type { Shell } from './shell.ts';

const ARITHMETIC = new Set(['-eq', '-ne', '-lt', '-le', '-gt', '-ge']);

export async function evaluateTestExpression(shell: Shell, expression: TestExpression): Promise<boolean> {
  switch (expression.type) {
    case 'TestGroup':
      return evaluateTestExpression(shell, expression.expression);
    case 'TestNot': {
      const value = await evaluateTestExpression(shell, expression.operand);
      return expression.negations.length % 2 === 1 ? !value : value;
    }
    case 'TestLogical': {
      const wanted = expression.operator === '||';
      for (const operand of expression.operands) {
        if ((await evaluateTestExpression(shell, operand)) === wanted) return wanted;
      }
      return !wanted;
    }
    case 'TestUnary':
      return testUnary(shell, expression.operator, await expandText(shell, expression.operand));
    case 'TestBinary':
      return binary(shell, expression);
  }
}

async function binary(shell: Shell, expression: Extract<TestExpression, { type: 'TestBinary' }>): Promise<boolean> {
  const { operator } = expression;
  const left = await expandText(shell, expression.left);
  if (operator === '==' || operator === '=' || operator === '!=') {
    const matches = patternToRegExp(await expandPattern(shell, expression.right)).test(left);
    return operator === '!=' ? !matches : matches;
  }
  const right = await expandText(shell, expression.right);
  if (operator === '=~') {
    try {
      return new RegExp(right).test(left);
    } catch (error) {
      if (error instanceof SyntaxError) throw new ShellError(`[[: ${right}: invalid regular expression`, 2);
      throw error;
    }
  }
  if (!ARITHMETIC.has(operator)) return testBinary(shell, left, operator, right);
  const [a, b] = [await evaluateArithmeticText(shell, left), await evaluateArithmeticText(shell, right)];
  return testBinary(shell, String(a), operator, String(b));
}
