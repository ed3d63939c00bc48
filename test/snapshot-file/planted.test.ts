import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import { fastPart, type Snapshot } from '../../src/domain/index.ts';
import { stripLiterals, strippedFacts, writeSnapshotFile } from '../../src/snapshot-file/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { testMajors, testServer } from '../support/servers.ts';

/** In everything that stripping promises to take out. In letters only, so that no escaping hides it. */
const MARK = 'zapfenstreich';
const majors = [Math.min(...testMajors), Math.max(...testMajors)];

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgluthier-planted-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Each place by its own word, so that a failure says which. */
const PLANTED = (role: string) => `
CREATE EXTENSION pg_stat_statements;
CREATE TYPE stays_enum AS ENUM ('stays_label', 'other');
CREATE DOMAIN stays_domain AS text CHECK (VALUE <> 'stays_domain_check');
CREATE TABLE stays_table (
  id int, common text, spread text, words text[], doc jsonb, spans tstzrange, vector tsvector, bytes bytea,
  one text, two text, three stays_domain, kind stays_enum, at date, stays_column text DEFAULT 'stays_default',
  CONSTRAINT stays_constraint CHECK (common <> 'stays_check'));
INSERT INTO stays_table
  SELECT g, CASE WHEN g % 2 = 0 THEN '${MARK} mcv' ELSE 'common ' || g % 5 END, '${MARK} histogram ' || g,
    ARRAY['${MARK} element', 'e' || g % 3], jsonb_build_object('k', '${MARK} json ' || g % 3),
    tstzrange(timestamptz '2026-01-01' + g * interval '1 day', timestamptz '2026-02-01' + g * interval '1 day'),
    to_tsvector('simple', '${MARK}lexeme word' || g % 4), convert_to('${MARK} bytes ' || g % 2, 'UTF8'),
    '${MARK} first ' || g % 2, '${MARK} second ' || g % 2, '${MARK} domain ' || g % 3, 'stays_label',
    date '1901-02-03' + g % 3
  FROM generate_series(1, 3000) g;
CREATE INDEX ON stays_table (upper(common)) WHERE common <> 'stays_predicate';
CREATE STATISTICS stays_statistics (mcv) ON one, two FROM stays_table;
CREATE TABLE stays_parent (v text) PARTITION BY LIST (v);
CREATE TABLE stays_partition PARTITION OF stays_parent FOR VALUES IN ('stays_bound');
CREATE VIEW stays_view AS SELECT id FROM stays_table WHERE common = 'stays_view_text';
CREATE FUNCTION stays_function(text) RETURNS text IMMUTABLE LANGUAGE sql AS $f$ SELECT 'stays_body' || $1 $f$;
CREATE INDEX ON stays_table (stays_function(one));
CREATE SEQUENCE stays_sequence;
SELECT setval('stays_sequence', 4711081599);
COMMENT ON TABLE stays_table IS '${MARK} comment';
CREATE ROLE "${role}" PASSWORD '${MARK} password';
ALTER ROLE "${role}" SET myapp.note = '${MARK} role setting';
ALTER TABLE stays_table OWNER TO "${role}";
ALTER VIEW stays_view OWNER TO "${role}";
CREATE ROLE "${role} group";
GRANT "${role} group" TO "${role}";
CREATE POLICY stays_policy ON stays_table TO "${role}", "${role} group" USING (common <> 'stays_condition');
CREATE FUNCTION stays_volatile() RETURNS text LANGUAGE plpgsql AS $f$ BEGIN RETURN '${MARK} needless body'; END $f$;
CREATE INDEX ON stays_table (id);
ANALYZE;
INSERT INTO stays_table (id) VALUES (1908071599);
SELECT pg_sleep(1.1);
SELECT 1;
SELECT count(*) FROM stays_table WHERE common = '${MARK} literal' /* ${MARK} remark */;
SET myapp.note = '${MARK} set';
DO $d$ BEGIN PERFORM '${MARK} do block'; END $d$;
`;

const STAYS =
  `stays_label stays_domain_check stays_default stays_check stays_predicate stays_bound stays_view_text
  stays_body stays_policy stays_condition stays_volatile stays_table stays_column stays_statistics stays_constraint`.split(
    /\s+/,
  );

async function planted(major: number): Promise<{ snapshot: Snapshot; close: () => Promise<void> }> {
  const server = await testServer({ major, settings: { archive_command: `${MARK} archive %p` } });
  const role = `${MARK}_role_${major}_${process.pid}`;
  const database = await server.createDatabase();
  const client = new pg.Client({ connectionString: database.dsn, application_name: `${MARK} application` });
  await client.connect();
  for (const statement of PLANTED(role).split(';\n'))
    if (statement.trim() !== '') await client.query(statement);
  const session = await openTarget(database.dsn, { applicationName: 'pgluthier:test', readOnly: true });
  const snapshot = await collectSnapshot(session);
  await session.close();
  return {
    snapshot,
    close: async () => {
      await client.query(
        `REASSIGN OWNED BY "${role}" TO CURRENT_USER; DROP OWNED BY "${role}", "${role} group"; DROP ROLE "${role}", "${role} group"`,
      );
      await client.end();
      await database.drop();
    },
  };
}

async function contentOf(snapshot: Snapshot, name: string, strip: boolean): Promise<string> {
  const path = join(directory, name);
  const parts = strip
    ? await stripLiterals(snapshot, fastPart(snapshot))
    : { snapshot, first: fastPart(snapshot) };
  await writeSnapshotFile(path, {
    header: {
      format: 'pgluthier-snapshot',
      format_version: 1,
      pgluthier_version: '0.0.0',
      written_at: new Date().toISOString(),
      target: strip ? 'target' : 'somewhere',
      stripped: strip ? strippedFacts : null,
    },
    ...parts,
  });
  return gunzipSync(await readFile(path)).toString('utf8');
}

/** What stands around each occurrence. */
const around = (text: string, word: string) =>
  [...text.matchAll(new RegExp(`.{0,80}${word}.{0,40}`, 'gi'))].map((match) => match[0]);

describe.each(majors)('a file of PostgreSQL %i', (major) => {
  it('has the planted values only where it is not stripped, and never a password', async () => {
    const { snapshot, close } = await planted(major);
    try {
      const whole = await contentOf(snapshot, `whole-${major}`, false);
      // What is to be taken out was there to begin with.
      for (const place of ['mcv', 'histogram', 'element', 'first', 'application']) {
        expect({ place, found: whole.includes(`${MARK} ${place}`) }).toEqual({ place, found: true });
      }
      expect(whole.includes(`${MARK}_role`) && whole.includes('4711081599')).toBe(true);
      expect(whole.includes('1908071599')).toBe(true);
      expect(around(whole, `${MARK} (password|comment|literal|set|do block|needless)`)).toEqual([]);

      const stripped = await contentOf(snapshot, `stripped-${major}`, true);
      expect(around(stripped, MARK)).toEqual([]);
      for (const value of ['4711081599', '1908071599', '1901-02-0', Buffer.from(MARK).toString('hex')]) {
        expect(around(stripped, value)).toEqual([]);
      }
      // The ends of ranges, as they are written.
      expect(around(stripped, String.raw`\["\\"2026-0`)).toEqual([]);
      expect(STAYS.filter((word) => !stripped.includes(word))).toEqual([]);
    } finally {
      await close();
    }
  });
});
