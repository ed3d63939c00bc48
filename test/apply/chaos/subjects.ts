/** Each kind of change, in a schema of its own, beside things of the user's that nobody may touch. */
import type { Change } from '../../../src/domain/index.ts';
import { rows } from '../target.ts';
import { indexSubjects } from './index-subjects.ts';
import { partitionedSubjects } from './partitioned-subjects.ts';
import { settingSubjects } from './setting-subjects.ts';

/** Where one apply of a round plays. */
export interface Place {
  dsn: string;
  schema: string;
  /** Within the round: what is the server's alone is told apart by it. */
  number: number;
}

export interface Subject {
  name: string;
  /** What it works on, and what of the user's lies beside it; the schema is the search path. */
  setup(place: Place): string;
  change(place: Place): Change;
  /** Rows of the journal when nothing goes wrong. */
  entries: number;
  /** Makes its statement wait in the middle; empty: nothing can. */
  hold(schema: string): string[];
  /** Makes what recovery sends after that wait in the middle; absent: it sends nothing that waits. */
  holdRecovery?(schema: string): string[];
  /** Whether the change's effect is in the catalogs: yes, no, or neither. */
  effect(place: Place): Promise<'done' | 'undone' | 'between'>;
}

/** In each schema, on disk though the servers' commits do not wait for it. */
export const roundSql = (place: Place, subject: Subject) => `
  SET synchronous_commit = on;
  CREATE SCHEMA ${place.schema};
  SET search_path = ${place.schema};
  CREATE TABLE theirs (a int, b int) WITH (fillfactor = 61);
  CREATE INDEX theirs_a ON theirs (a);
  CREATE STATISTICS theirs_ab ON a, b FROM theirs;
  ${subject.setup(place)}
`;

async function truth(place: Place, sql: string): Promise<'done' | 'undone'> {
  const [row] = await rows<{ yes: boolean | null }>(place.dsn, sql, [place.schema]);
  return row?.yes ? 'done' : 'undone';
}

const lockedOut = (schema: string, table: string) =>
  `LOCK TABLE ${schema}.${table} IN SHARE UPDATE EXCLUSIVE MODE`;

/** Storage parameters of a group of tables, and the way back of that. */
function group(name: string, set: boolean): Subject {
  const [before, after] = set ? ['', 'fillfactor=77'] : ['fillfactor=77', ''];
  const options = (was: string) => (was === '' ? '' : `WITH (${was})`);
  return {
    name,
    setup: () =>
      `CREATE TABLE one (id int) ${options(before)}; CREATE TABLE two (id int) ${options(before)};`,
    entries: 2,
    change: ({ schema }) => ({
      kind: 'table.reloptions',
      schema,
      table: 'one',
      ...(set ? { set: { fillfactor: '77' } } : { set: {}, reset: ['fillfactor'] }),
      previous: { fillfactor: set ? null : '77' },
      others: [{ schema, table: 'two', previous: { fillfactor: set ? null : '77' } }],
    }),
    hold: (schema) => [lockedOut(schema, 'two')],
    effect: async ({ dsn, schema }) => {
      const found = await rows<{ now: string }>(
        dsn,
        `SELECT coalesce(array_to_string(reloptions, ','), '') AS now FROM pg_class
         WHERE relnamespace = $1::regnamespace AND relname IN ('one', 'two')`,
        [schema],
      );
      if (found.every(({ now }) => now === after)) return 'done';
      return found.every(({ now }) => now === before) ? 'undone' : 'between';
    },
  };
}

const tableSubjects: Subject[] = [
  {
    name: 'table.reloptions',
    setup: () => 'CREATE TABLE optioned (id int, v text) WITH (autovacuum_enabled = off);',
    entries: 2,
    change: ({ schema }) => ({
      kind: 'table.reloptions',
      schema,
      table: 'optioned',
      set: { fillfactor: '77' },
      reset: ['autovacuum_enabled'],
      previous: { fillfactor: null, autovacuum_enabled: 'off' },
    }),
    hold: (schema) => [lockedOut(schema, 'optioned')],
    effect: async ({ dsn, schema }) => {
      const [row] = await rows<{ options: string[] | null }>(
        dsn,
        `SELECT reloptions AS options FROM pg_class WHERE oid = to_regclass($1)`,
        [`${schema}.optioned`],
      );
      const now = (row?.options ?? []).join();
      return now === 'fillfactor=77' ? 'done' : now === 'autovacuum_enabled=off' ? 'undone' : 'between';
    },
  },
  group('table.reloptions of a group', true),
  group('way back of a group', false),
  {
    name: 'statistics.create',
    setup: () =>
      `CREATE TABLE correlated (a int, b int);
       INSERT INTO correlated SELECT i % 20, i % 20 / 2 FROM generate_series(1, 400) i;`,
    entries: 2,
    change: ({ schema }) => ({
      kind: 'statistics.create',
      schema,
      table: 'correlated',
      name: 'ours_ab',
      kinds: ['dependencies'],
      columns: ['a', 'b'],
    }),
    hold: (schema) => [lockedOut(schema, 'correlated')],
    effect: async ({ dsn, schema }) => {
      const [row] = await rows<{ filled: boolean }>(
        dsn,
        `SELECT EXISTS (SELECT FROM pg_statistic_ext_data d WHERE d.stxoid = x.oid) AS filled
         FROM pg_statistic_ext x WHERE x.stxname = 'ours_ab' AND x.stxnamespace = $1::regnamespace`,
        [schema],
      );
      return row === undefined ? 'undone' : row.filled ? 'done' : 'between';
    },
  },
  {
    name: 'analyze',
    setup: () =>
      'CREATE TABLE analysed (id int, v text); INSERT INTO analysed SELECT i FROM generate_series(1, 200) i;',
    entries: 2,
    change: ({ schema }) => ({ kind: 'analyze', schema, table: 'analysed' }),
    hold: (schema) => [lockedOut(schema, 'analysed')],
    effect: (place) =>
      truth(
        place,
        `SELECT EXISTS (SELECT FROM pg_statistic WHERE starelid = to_regclass($1 || '.analysed')) AS yes`,
      ),
  },
  {
    name: 'vacuum',
    setup: () =>
      'CREATE TABLE vacuumed (id int, v text); INSERT INTO vacuumed SELECT i FROM generate_series(1, 200) i;',
    entries: 2,
    change: ({ schema }) => ({ kind: 'vacuum', schema, table: 'vacuumed', freeze: true, analyze: false }),
    hold: (schema) => [lockedOut(schema, 'vacuumed')],
    // −1 until a first VACUUM or ANALYZE has counted.
    effect: (place) =>
      truth(place, `SELECT reltuples >= 0 AS yes FROM pg_class WHERE oid = to_regclass($1 || '.vacuumed')`),
  },
  {
    name: 'vacuum of partitions',
    setup: () =>
      `CREATE TABLE leaves (id int) PARTITION BY RANGE (id);
       CREATE TABLE leaves_1 PARTITION OF leaves FOR VALUES FROM (0) TO (100);
       CREATE TABLE leaves_2 PARTITION OF leaves FOR VALUES FROM (100) TO (200);
       INSERT INTO leaves SELECT i FROM generate_series(0, 199) i;`,
    entries: 2,
    change: ({ schema }) => ({ kind: 'vacuum', schema, table: 'leaves', freeze: false, analyze: false }),
    // The first one is done by then: that is none of the whole.
    hold: (schema) => [lockedOut(schema, 'leaves_2')],
    effect: (place) =>
      truth(
        place,
        `SELECT bool_and(reltuples >= 0) AS yes FROM pg_class
         WHERE oid IN (to_regclass($1 || '.leaves_1'), to_regclass($1 || '.leaves_2'))`,
      ),
  },
];

export const subjects: Subject[] = [
  ...indexSubjects,
  ...partitionedSubjects,
  ...settingSubjects,
  ...tableSubjects,
];
