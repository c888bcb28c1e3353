/** House rules that a reader would otherwise have to check by eye. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const tracked = existsSync(join(root, '.git'))
  ? execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' })
      .split('\0')
      .filter((path) => path !== '' && existsSync(join(root, path)))
  : [];
const sources = tracked.filter((path) => path.endsWith('.ts'));

/** Files that may pass 400 lines, each with its reason. */
const longFiles: Record<string, string> = {};

/** Names that say nothing of what is inside. */
const emptyNames = /(^|\/)(utils?|helpers?|common|misc|types|index)\.ts$/;

function linesMatching(pattern: RegExp, paths: readonly string[]): string[] {
  const found: string[] = [];
  for (const path of paths) {
    readFileSync(join(root, path), 'utf8')
      .split('\n')
      .forEach((line, index) => {
        if (pattern.test(line)) found.push(`${path}:${index + 1}: ${line.trim()}`);
      });
  }
  return found;
}

/** Packages that a bundle loads as they are. */
const NOT_BUNDLED = new Set(['esbuild', 'koffi']);

/** Whether `import` of a package gets an ES module. */
function isModule(name: string): boolean {
  const file = import.meta.resolve(name);
  if (!file.endsWith('.js')) return file.endsWith('.mjs');
  const folder = fileURLToPath(file).split(`node_modules/${name}/`)[0] as string;
  const manifest: unknown = JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && Reflect.get(manifest, 'type') === 'module';
}

describe('tidy', () => {
  it('sees the files under version control', () => {
    expect(sources.length).toBeGreaterThan(10);
  });

  it('no file over 400 lines without a listed reason', () => {
    const long = sources.filter(
      (path) => !path.endsWith('.test.ts') && readFileSync(join(root, path), 'utf8').split('\n').length > 401,
    );
    expect(long.filter((path) => longFiles[path] === undefined)).toEqual([]);
  });

  it('files are named by their concept', () => {
    expect(sources.filter((path) => emptyNames.test(path))).toEqual([]);
  });

  it('no any, no silenced compiler', () => {
    expect(
      linesMatching(
        /(: any\b|\bas any\b|<any>|@ts-(ignore|expect-error|nocheck))/,
        sources.filter((path) => path !== 'test/tidy.test.ts'),
      ),
    ).toEqual([]);
  });

  it('no focused tests, and a skipped test prints its reason', () => {
    const tests = sources.filter((path) => path.endsWith('.test.ts') && path !== 'test/tidy.test.ts');
    expect(linesMatching(/\b(it|test|describe)\.(only|todo|skip)\(/, tests)).toEqual([]);
  });

  it('no swallowed errors', () => {
    expect(
      linesMatching(
        /catch\s*(\([^)]*\))?\s*\{\s*\}|\.catch\(\(\)\s*=>\s*(\{\s*\}|undefined)\)/,
        sources.filter((path) => path !== 'test/tidy.test.ts'),
      ),
    ).toEqual([]);
  });

  it('what a process needs is there before it runs', () => {
    // `await runProcess(...)` holds up the rest of its module: a constant below it does not exist yet when `start` runs.
    const late = sources
      .filter((path) => path.endsWith('main.ts'))
      .filter((path) => {
        const [, after] = readFileSync(join(root, path), 'utf8').split(/^await runProcess\(/m);
        return after !== undefined && /^(export )?(const|let|class) /m.test(after);
      });
    expect(late).toEqual([]);
  });

  it('tests wait for conditions instead of sleeping', () => {
    const tests = sources.filter((path) => path.startsWith('test/') || path.endsWith('.test.ts'));
    expect(
      linesMatching(
        /\b(sleep|setTimeout)\([^)]*\b[0-9_]{4,}\)/,
        tests.filter((path) => path !== 'test/tidy.test.ts'),
      ),
    ).toEqual([]);
  });

  it('a CommonJS package that is loaded later is taken by its default', () => {
    // In a bundle it has no other export; run from the sources it has, so that no other test would notice.
    const late = /const \{ (?!default)[^}]*\} = await import\('([^.'][^']*)'\)/;
    const wrong = linesMatching(
      late,
      sources.filter((path) => !path.endsWith('.test.ts') && !path.startsWith('test/')),
    ).filter((line) => {
      const name = late.exec(line)?.[1] as string;
      return !name.startsWith('node:') && !NOT_BUNDLED.has(name) && !isModule(name);
    });
    expect(wrong).toEqual([]);
  });

  // weave-kube's image has its launcher in /home/weave.
  it('no path of one machine', () => {
    expect(
      linesMatching(
        /(^|[^.\w-])\/(root|home\/(?!weave\/)\w+|work)\//,
        tracked.filter(
          (path) =>
            /\.(ts|md|json|ya?ml|mjs)$/.test(path) && path !== 'package-lock.json' && path !== 'test/tidy.test.ts',
        ),
      ),
    ).toEqual([]);
  });
});
