/** Names of any content, in databases of any encoding: everything is collected under its name, and the twin is built. */
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { quoteIdentifier as q } from '../../src/domain/index.ts';
import { availableMajors } from '../../src/embedded/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { testMajors, testServer } from '../support/servers.ts';
import { asRole } from '../target/as-role.ts';
import { collectWatched } from './watched.ts';

const newest = Math.max(...testMajors);
const oldest = availableMajors().includes(14) ? 14 : Math.min(...testMajors);

const PLAIN = [
  'quo"te',
  "quo'te",
  'Mixed Case',
  'dot.ted',
  ' space ',
  'new\nline',
  'select',
  'NULL',
  '%s',
  '%I%L%%',
  '$1',
  '$$',
  '$&',
  'back\\slash\\',
  ':extension_schema',
  '--',
  '/*',
  '{a,"b"}',
  '*/ x',
];
/** 63 bytes in the database's encoding, the longest there is. */
const OF_ENCODING: Record<string, string[]> = {
  UTF8: [`${'ä'.repeat(31)}x`, '💥', '表', '\u202e'],
  LATIN1: [`${'ä'.repeat(62)}x`],
  SQL_ASCII: [`${'ä'.repeat(31)}x`, '💥'],
};

let undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const action of undo.reverse()) await action();
  undo = [];
});

async function hostile(major: number, encoding: string, names: string[]) {
  const server = await testServer({ major });
  const admin = new pg.Client({ connectionString: server.dsn() });
  await admin.connect();
  const id = `${encoding} "%s" \\ ${Math.random().toString(36).slice(2, 8)}`;
  await admin.query(
    `CREATE DATABASE ${q(id)} TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C' ${major >= 15 ? 'LOCALE_PROVIDER libc' : ''}`,
  );
  undo.push(async () => {
    await admin.query(`DROP DATABASE ${q(id)} WITH (FORCE)`);
    await admin.end();
  });
  const client = new pg.Client({ connectionString: server.dsn(id) });
  client.on('error', () => {});
  await client.connect();
  undo.push(() => client.end());
  await client.query("SET client_min_messages = 'error'");
  const extension = 'Ext $$ $& "%s" \\';
  await client.query(
    `CREATE SCHEMA ${q(extension)}; CREATE EXTENSION pg_stat_statements SCHEMA ${q(extension)};
     CREATE SCHEMA enums; CREATE SCHEMA domains; CREATE SCHEMA functions; CREATE SCHEMA kinds`,
  );
  for (const name of names) {
    const n = q(name);
    const table = `${n}.${n}`;
    // An index shares its table's name space; what is too long is cut by the server.
    const index = q(`i${name}`.slice(0, Buffer.byteLength(name) > 60 ? 30 : 62));
    await client.query(
      `CREATE SCHEMA ${n}; CREATE TYPE enums.${n} AS ENUM ('a', ${pg.escapeLiteral(name)});
       CREATE DOMAIN domains.${n} AS int CHECK (VALUE > 0); CREATE TYPE kinds.${n} AS (${n} int);
       CREATE TYPE domains.${q(`r${name}`.slice(0, 30))} AS RANGE (SUBTYPE = enums.${n});
       CREATE FUNCTION functions.${n} (${n} text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
       CREATE TABLE ${table} (id serial PRIMARY KEY, ${n} text DEFAULT ${pg.escapeLiteral(name)}, e enums.${n},
         d domains.${n}, c kinds.${n}, r domains.${q(`r${name}`.slice(0, 30))}, CONSTRAINT ${n} CHECK (${n} <> ''));
       INSERT INTO ${table} (${n}, e, d) SELECT ${pg.escapeLiteral(name)} || g % 7, 'a', g FROM generate_series(1, 300) AS g;
       CREATE INDEX ${index} ON ${table} (functions.${n}(${n}), ${n} DESC) WHERE ${n} <> 'x';
       CREATE STATISTICS functions.${n} ON ${n}, e FROM ${table};
       CREATE TABLE kinds.${q(`p${name}`.slice(0, 30))} (${n} text) PARTITION BY LIST (${n});
       CREATE VIEW functions.${n} AS SELECT ${n} FROM ${table}`,
    );
  }
  await client.query('ANALYZE');
  return { server, client, dsn: server.dsn(id), id };
}

describe.each([
  [newest, 'UTF8'],
  [newest, 'LATIN1'],
  [newest, 'SQL_ASCII'],
  [oldest, 'UTF8'],
])('PostgreSQL %i, %s', (major, encoding) => {
  it('collects every name as it is, and the twin plans with them', async () => {
    const names = [...PLAIN, ...(OF_ENCODING[encoding] ?? [])];
    const { dsn, client, id } = await hostile(major, encoding, names);
    const snapshot = await collectWatched(dsn, (sql, send) => {
      // What a server of another encoding could not take.
      if (!names.some((name) => sql.includes(q(name)))) expect(sql).toMatch(/^[\n\x20-\x7e]*$/);
      return send();
    });
    const untranslatable = snapshot.limits.filter((limit) => limit.code === 'texts_untranslatable');
    expect(snapshot.limits).toEqual(encoding === 'LATIN1' ? untranslatable : []);
    expect(snapshot.server).toMatchObject({ database: id, encoding });
    const sorted = (list: string[]) => [...list].sort();
    const own = snapshot.tables.filter((row) => row.schema === row.name);
    expect(sorted(own.map((row) => row.name))).toEqual(sorted(names));
    expect(sorted(snapshot.schema.enums.map((row) => row.name))).toEqual(sorted(names));
    expect(sorted(snapshot.schema.functions.map((row) => row.name))).toEqual(sorted(names));
    expect(snapshot.schema.sequences.map((row) => row.last_value)).toEqual(names.map(() => '300'));
    for (const name of names) {
      const column = snapshot.columns.find((row) => row.schema === name && row.name === name);
      expect(column?.stats?.n_distinct).toBe(7);
      expect(snapshot.schema.enums.find((row) => row.name === name)?.labels).toEqual(['a', name]);
    }
    expect(snapshot.statements.length).toBeGreaterThan(names.length);

    const twin = await openTwin(snapshot);
    undo.push(() => twin.close());
    expect(twin.limits).toEqual([]);
    for (const name of names) {
      const sql = `SELECT id FROM ${q(name)}.${q(name)} WHERE ${q(name)} = ${pg.escapeLiteral(`${name}3`)}`;
      const [answer] = await twin.costs({ created: [], hidden: [] }, [
        { id: name, query_id: name, sql, weight: 1 },
      ]);
      const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${sql}`);
      const real = rows[0]['QUERY PLAN'][0].Plan;
      expect([name, answer?.error, answer?.rows]).toEqual([name, null, real['Plan Rows']]);
    }
  });
});

it('a role of any name collects, and remedies name it so that they run', async () => {
  const { dsn, client } = await hostile(newest, 'UTF8', ['t']);
  const role = `R"o'le \\ %s $1 💥`;
  await client.query(`CREATE ROLE ${q(role)} LOGIN PASSWORD 'x'`);
  undo.push(async () => {
    await client.query(`DROP OWNED BY ${q(role)}; DROP ROLE ${q(role)}`);
  });
  const bare = await collectWatched(asRole(dsn, role, 'x'));
  for (const { remedy } of bare.limits) {
    if (remedy?.startsWith('GRANT') && remedy.endsWith(';')) await client.query(remedy);
  }
  expect((await collectWatched(asRole(dsn, role, 'x'))).limits).toEqual([]);
});

it('counts statements without their texts where a text of another database has characters that this one lacks', async () => {
  const { dsn, client, server } = await hostile(newest, 'LATIN1', ['t']);
  const elsewhere = new pg.Client({ connectionString: server.dsn() });
  await elsewhere.connect();
  undo.push(() => elsewhere.end());
  await elsewhere.query('SELECT 1 AS "表"');
  const snapshot = await collectWatched(dsn);
  expect(snapshot.limits.map((limit) => limit.code)).toEqual(['texts_untranslatable']);
  expect(snapshot.statements.length).toBeGreaterThan(3);
  expect(snapshot.statements.every((row) => row.query === null && row.queryid !== '')).toBe(true);
  await client.query('SELECT 1');
});

it('names whose bytes are no text in a SQL_ASCII database are told; the rest is collected', async () => {
  const { dsn, client } = await hostile(newest, 'SQL_ASCII', ['t']);
  await client.query(
    `DO $$ BEGIN EXECUTE 'CREATE TABLE "caf' || convert_from('\\xe9', 'SQL_ASCII') || '" (id serial PRIMARY KEY)'; END $$`,
  );
  const snapshot = await collectWatched(dsn);
  expect(snapshot.limits.map((limit) => limit.code)).toEqual(['names_undecodable']);
  expect(snapshot.schema.sequences.filter((row) => row.last_value === '300')).toHaveLength(1);
  expect(snapshot.tables.length).toBeGreaterThan(1);
});
