/** The table of requirements names code and tests that exist: what is renamed or dropped is not claimed any more. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const filesOf = (folder: string) =>
  readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`);

test('every file and every title that docs/settings-coverage.md names is there', () => {
  const page = readFileSync(`${ROOT}docs/settings-coverage.md`, 'utf8');
  const tests = filesOf('test').filter((name) => name.endsWith('.test.ts'));
  const texts = tests
    .filter((name) => !name.endsWith('coverage.test.ts'))
    .map((name) => readFileSync(`${ROOT}${name}`, 'utf8').replaceAll('’', "'"));
  const sources = filesOf('src');
  const missing = [
    ...[...page.matchAll(/"([^"]+)"/g)]
      .map(([, title = '']) => title)
      .filter((title) => !texts.some((text) => text.includes(title.replaceAll('’', "'")))),
    ...[...page.matchAll(/`([a-z0-9/-]+\.ts)`/g)]
      .map(([, name = '']) => name)
      .filter((name) => !sources.some((source) => source.endsWith(`/${name}`))),
    ...[...page.matchAll(/`(test\/[a-z0-9/-]*[a-z0-9])`/g)]
      .map(([, name = '']) => name)
      .filter((name) => !tests.includes(`${name}.test.ts`)),
  ];
  expect(missing).toEqual([]);
});
