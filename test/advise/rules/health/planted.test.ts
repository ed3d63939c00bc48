/** What a shared server cannot be given: settings that wait, evictions, other versions of collations, sessions near a limit. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadRules } from '../../../../src/advise/index.ts';
import { collectSnapshot } from '../../../../src/collect/index.ts';
import type { RecommendationDraft, Snapshot } from '../../../../src/domain/index.ts';
import { type EmbeddedServer, startEmbedded } from '../../../../src/embedded/index.ts';
import { openTarget } from '../../../../src/target/index.ts';
import { testMajors } from '../../../support/servers.ts';
import { contextOf } from '../../../support/snapshot-builder.ts';

const rules = (await loadRules()).filter(({ area }) => area === 'health');
const ends = [Math.min(...testMajors), Math.max(...testMajors)];

const SCHEMA = `
CREATE EXTENSION pg_stat_statements;
CREATE ROLE shop LOGIN CONNECTION LIMIT 3;
ALTER SYSTEM SET max_connections = 150;
CREATE TABLE wide (id bigint PRIMARY KEY);
CREATE TABLE flagged (id bigint, done boolean NOT NULL, gone int);
INSERT INTO flagged SELECT g, g % 2 = 0, NULL FROM generate_series(1, 1600000) g;
ALTER TABLE flagged ADD PRIMARY KEY (id);
CREATE INDEX flagged_done ON flagged (done); CREATE INDEX flagged_gone ON flagged (gone);
CREATE INDEX flagged_open ON flagged (id) WHERE NOT done;
VACUUM ANALYZE flagged;
CREATE TABLE scanned (id bigint PRIMARY KEY, pad text);
ALTER TABLE scanned ALTER pad SET STORAGE PLAIN;
INSERT INTO scanned SELECT g, repeat('x', 7000) FROM generate_series(1, 12000) g;
CREATE COLLATION old (provider = icu, locale = 'de');
CREATE TABLE named (id bigint PRIMARY KEY, v text COLLATE old); CREATE INDEX named_v ON named (v);
CREATE COLLATION unused (provider = icu, locale = 'fr');
UPDATE pg_collation SET collversion = '1.0' WHERE collname IN ('old', 'unused');
`;

describe.each(ends)('PostgreSQL %i', (major) => {
  let server: EmbeddedServer;
  let snapshot: Snapshot;
  let found: RecommendationDraft[];
  const clients: pg.Client[] = [];
  const connect = async (user: string, application_name: string) => {
    const url = new URL(server.dsn('postgres'));
    url.searchParams.set('user', user);
    const client = new pg.Client({ connectionString: url.href, application_name });
    client.on('error', () => {});
    await client.connect();
    clients.push(client);
    return client;
  };

  beforeAll(async () => {
    server = await startEmbedded({
      major,
      name: `planted${major}`,
      light: 'memory',
      settings: {
        shared_preload_libraries: 'pg_stat_statements',
        'pg_stat_statements.max': '100',
        autovacuum: 'off',
        max_connections: '40',
      },
    });
    const main = await connect(server.superuser, 'psql');
    for (const statement of SCHEMA.split(';').filter((text) => text.trim() !== '')) {
      await main.query(statement);
    }
    for (let column = 0; column < 1250; column += 50) {
      const names = Array.from({ length: 50 }, (_, index) => `c${column + index}`);
      await main.query(`ALTER TABLE wide ${names.map((name) => `ADD ${name} int`).join(', ')}`);
      await main.query(`ALTER TABLE wide ${names.map((name) => `DROP ${name}`).join(', ')}`);
    }
    // Each process of a parallel scan counts a scan of its own.
    await main.query('SET max_parallel_workers_per_gather = 0');
    // Another number of columns is another statement.
    for (let wide = 1; wide <= 50; wide += 1) {
      for (let long = 0; long < 40; long += 1) {
        await main.query(`SELECT ${Array(wide).fill('1')} WHERE true${' AND true'.repeat(long)}`);
      }
    }
    for (let turn = 0; turn < 60; turn += 1) await main.query('SELECT count(pad) FROM scanned');
    await main.query('SELECT pg_stat_force_next_flush()');
    await main.query('SELECT pg_reload_conf()');
    for (let sessions = 0; sessions < 3; sessions += 1) await connect('shop', 'web');
    for (let sessions = 0; sessions < 5; sessions += 1) await connect(server.superuser, 'backoffice');
    const session = await openTarget(server.dsn('postgres'), {
      applicationName: 'pgluthier-test',
      readOnly: true,
    });
    snapshot = await collectSnapshot(session);
    await session.close();
    const taken_at = new Date(Date.parse(snapshot.taken_at) + 7_200_000).toISOString();
    const context = contextOf({ ...snapshot, taken_at });
    found = (await Promise.all(rules.map((rule) => rule.evaluate(context)))).flatMap(
      (each) => each.recommendations,
    );
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.end().catch(() => {})));
    await server?.stop('immediate');
  });

  const one = (key: string) => found.find((draft) => draft.key === `finding ${key}`);

  test('finds what was planted, and not what only looks like it', () => {
    expect(found.map((draft) => `${draft.severity} ${draft.key.replace('finding ', '')}`)).toEqual(
      expect.arrayContaining([
        'high autovacuum off',
        'high collation-version collation public.old',
        'high connections-near-limit role shop',
        'info index-few-values public.flagged_done',
        'info index-few-values public.flagged_gone',
        'low pending restart',
        'medium superusers application postgres',
        'low statements-evicted pg_stat_statements',
        'info sequential-scans public.scanned',
        'medium table-oversize public.wide columns',
      ]),
    );
    // A collation that nothing sorts by, an index that is partial already.
    expect(found.filter(({ key }) => /unused|flagged_open|max_connections$/.test(key))).toEqual([]);
  });

  test('and says what is so there', () => {
    expect(one('connections-near-limit role shop')?.rationale).toContain('too many connections for role');
    expect(one('connections-near-limit role shop')?.risk.notes.join(' ')).toContain(
      'ALTER ROLE shop CONNECTION LIMIT',
    );
    expect(one('statements-evicted pg_stat_statements')?.risk.notes[0]).toContain("'200'");
    // All of them were dropped again but for one.
    expect(one('table-oversize public.wide columns')?.evidence[0]?.value).toBe(1251);
    expect(snapshot.columns.filter(({ table }) => table === 'wide')).toHaveLength(1);
  });
});
