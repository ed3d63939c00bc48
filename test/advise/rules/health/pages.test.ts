/** Each health rule has a page, each page a rule, and the SQL of the pages runs. */
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { loadRules } from '../../../../src/advise/index.ts';
import { testMajors, testServer } from '../../../support/servers.ts';
import { keysOfPage } from './suppression-keys.ts';

const FOLDER = fileURLToPath(new URL('../../../../docs/health/', import.meta.url));
const names = (await readdir(FOLDER)).filter((name) => name !== 'README.md').sort();
const page = (name: string) => readFile(`${FOLDER}${name}`, 'utf8');
const rules = (await loadRules()).filter(({ area }) => area === 'health');

test('one page a rule, one rule a page, and the index names all of them', async () => {
  expect(names).toEqual(rules.map(({ id }) => `${id.replace('health/', '')}.md`).sort());
  const index = await page('README.md');
  expect(names.filter((name) => !index.includes(`](${name})`))).toEqual([]);
  const numbers = [...index.matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1]));
  expect(numbers).toEqual(Array.from({ length: 53 }, (_, position) => position + 1));
});

test('the index names rules of other areas that exist', async () => {
  const ids = new Set((await loadRules()).map(({ id }) => id));
  const named = [
    ...(await page('README.md')).matchAll(/\b(?:index|settings|autovacuum)\/[a-z]+(?:-[a-z]+)*/g),
  ];
  expect(named.length).toBeGreaterThan(5);
  expect(named.map(([id]) => id).filter((id) => !ids.has(id))).toEqual([]);
});

test.each(names)('%s has all parts and points to pages that exist', async (name) => {
  const text = await page(name);
  expect(text).toMatch(new RegExp(`^# health/${name.replace('.md', '')}: `));
  for (const part of [
    '## How it is measured',
    '## What to do',
    '## What it does not report',
    '## Suppression',
  ])
    expect(text).toContain(part);
  // How grave it is, before anything else.
  expect(text.split('\n## ')[0]).toMatch(/\b(critical|high|medium|low|info)\b/i);
  expect(keysOfPage(name.replace('.md', '')).length).toBeGreaterThan(0);
  const links = [...text.matchAll(/\]\(([a-z-]+\.md)\)/g)].map((match) => match[1] ?? '');
  expect(links.filter((link) => !names.includes(link))).toEqual([]);
});

describe.each([Math.min(...testMajors), Math.max(...testMajors)])('on PostgreSQL %i', (major) => {
  let client: pg.Client;
  let drop: () => Promise<void>;
  afterAll(async () => {
    await client?.end();
    await drop?.();
  });

  test('the SQL of every page runs', async () => {
    const server = await testServer({ major });
    const database = await server.createDatabase({
      sql: `CREATE EXTENSION pg_stat_statements; CREATE EXTENSION IF NOT EXISTS pgstattuple;
        CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g FROM generate_series(1, 1000) g; ANALYZE`,
    });
    drop = database.drop;
    client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
    const failed: string[] = [];
    for (const name of names) {
      for (const [, sql = ''] of (await page(name)).matchAll(/```sql\n([\s\S]*?)```/g)) {
        const floor = Number(/-- (?:.*?)(\d\d) and newer/.exec(sql)?.[1] ?? 0);
        if (floor > major) continue;
        await client.query(sql).catch((error: Error) => failed.push(`${name}: ${error.message}`));
      }
    }
    expect(failed).toEqual([]);
  });
});
