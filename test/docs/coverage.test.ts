/** The tables of requirements name code and tests that exist: what is renamed or dropped is not claimed any more. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const filesOf = (folder: string) =>
  readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`);
/** The same title, whichever apostrophe either has. */
const plain = (text: string) => text.replaceAll('’', "'").replaceAll("\\'", "'");

const tests = filesOf('test').filter((name) => name.endsWith('.test.ts'));
const texts = tests
  .filter((name) => !name.endsWith('coverage.test.ts'))
  .map((name) => plain(readFileSync(`${ROOT}${name}`, 'utf8')));
const sources = [...filesOf('src'), ...filesOf('jobs')].map((name) => `/${name}`);

test.each(['settings-coverage', 'index-coverage', 'apply-coverage'])(
  'every file and every title that docs/%s.md names is there',
  (name) => {
    const page = readFileSync(`${ROOT}docs/${name}.md`, 'utf8');
    const missing = [
      ...[...page.matchAll(/"([^"]+)"/g)]
        .map(([, title = '']) => title.replace(/ …$/, ''))
        .filter((title) => !texts.some((text) => text.includes(plain(title)))),
      ...[...page.matchAll(/`([a-z0-9/-]+\.ts)`/g)]
        .map(([, file = '']) => file)
        .filter((file) => !sources.some((source) => source.endsWith(`/${file}`))),
      ...[...page.matchAll(/`(test\/[a-z0-9/-]*[a-z0-9])`/g)]
        .map(([, file = '']) => file)
        .filter((file) => !tests.includes(`${file}.test.ts`)),
    ];
    expect(missing).toEqual([]);
  },
);

test('no kind of candidate is without a test where it is found and one where it is not', () => {
  const page = readFileSync(`${ROOT}docs/index-coverage.md`, 'utf8');
  const table = page.slice(page.indexOf('| kind |'), page.indexOf('pgvector is on no test server'));
  const rows = table
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1);
  expect(rows.length).toBeGreaterThan(25);
  for (const row of rows) {
    const [, kind = '', , found = '', trap = ''] = row.split('|');
    expect(found, kind).toMatch(/"/);
    expect(trap, kind).toMatch(/"|the same/);
  }
});
