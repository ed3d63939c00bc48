import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import type { PlannableStatement, WhatIf } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { testMajors, testServer } from '../support/servers.ts';

const asIs = { created: [], hidden: [] };
const STATEMENTS = [
  // An ICU database's plain B-tree cannot serve LIKE; a range of texts is estimated by its order.
  "SELECT * FROM word WHERE w LIKE 'Ab%'",
  "SELECT * FROM word WHERE w >= 'ä' AND w < 'b'",
  "SELECT * FROM word WHERE w = 'a123'",
  "SELECT * FROM word WHERE c LIKE 'a1%'",
  'SELECT * FROM word ORDER BY w LIMIT 5',
];

describe.each(testMajors)('a database that sorts by ICU’s German rules, PostgreSQL %i', (major) => {
  let client: pg.Client;
  let drop: () => Promise<unknown>;
  let twin: WhatIf;
  beforeAll(async () => {
    const server = await testServer({ major });
    const admin = new pg.Client({ connectionString: server.dsn() });
    await admin.connect();
    const name = `icu_${process.pid}_${major}`;
    await admin.query(
      `CREATE DATABASE ${name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de' LC_COLLATE 'C' LC_CTYPE 'C' ENCODING 'UTF8'`,
    );
    drop = async () => {
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.end();
    };
    client = new pg.Client({ connectionString: server.dsn(name) });
    await client.connect();
    await client.query(`CREATE TABLE word (w text, c text COLLATE "C");
      INSERT INTO word SELECT (ARRAY['a', 'A', 'ä', 'Ä', 'b', 'z', 'Ab'])[1 + i % 7] || i, 'a' || i FROM generate_series(1, 20000) AS i;
      CREATE INDEX word_w ON word (w); CREATE INDEX word_c ON word (c); ANALYZE word`);
    const session = await openTarget(server.dsn(name), { applicationName: 'pgluthier-test', readOnly: true });
    const snapshot = await collectSnapshot(session).finally(() => session.close());
    twin = await openTwin(snapshot);
  }, 60_000);
  afterAll(async () => {
    await twin?.close();
    await client?.end();
    await drop?.();
  });

  it('is planned by them in the twin, without a substitute', async () => {
    expect(twin.limits).toEqual([]);
    for (const sql of STATEMENTS) {
      const statement: PlannableStatement = { id: sql, query_id: sql, sql, weight: 1 };
      const [answer] = await twin.costs(asIs, [statement]);
      const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${sql}`);
      const real = rows[0]['QUERY PLAN'][0].Plan;
      expect([sql, answer?.error]).toEqual([sql, null]);
      // The real server looks up the column's ends in its index, of which a snapshot says nothing.
      expect(Math.abs((answer?.cost ?? 0) / real['Total Cost'] - 1)).toBeLessThan(0.001);
      expect(Math.abs((answer?.rows ?? 0) / real['Plan Rows'] - 1)).toBeLessThan(0.01);
    }
  });
});
