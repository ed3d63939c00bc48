/** Each kind of change, on a small table of its own, beside things of the user's that nobody may touch. */
import type { Change } from '../../../src/domain/index.ts';
import { column, rows } from '../target.ts';

export interface Subject {
  name: string;
  change(schema: string): Change;
  /** Rows of the journal when nothing goes wrong. */
  entries: number;
  /** Makes its statement wait in the middle; empty: nothing can. */
  hold(schema: string): string[];
  /** Whether the change's effect is in the catalogs: yes, no, or neither. */
  effect(dsn: string, schema: string): Promise<'done' | 'undone' | 'between'>;
}

/** Everything of one round, on disk though the servers' commits do not wait for it. The invalid indexes are what somebody's own builds left. */
export const roundSql = (schema: string) => `
  SET synchronous_commit = on;
  CREATE SCHEMA ${schema};
  SET search_path = ${schema};
  CREATE TABLE "Created" (id int PRIMARY KEY, v text);
  CREATE TABLE dropped (id int PRIMARY KEY, v text);
  CREATE TABLE rebuilt (id int PRIMARY KEY, v text);
  CREATE TABLE optioned (id int, v text) WITH (autovacuum_enabled = off);
  CREATE TABLE correlated (a int, b int);
  CREATE TABLE analysed (id int, v text);
  CREATE TABLE vacuumed (id int, v text);
  CREATE TABLE theirs (a int, b int) WITH (fillfactor = 61);
  DO $$ DECLARE t text; BEGIN
    FOREACH t IN ARRAY ARRAY['"Created"', 'dropped', 'rebuilt', 'optioned', 'analysed', 'vacuumed'] LOOP
      EXECUTE 'INSERT INTO ' || t || ' SELECT i, ''v'' || i % 20 FROM generate_series(1, 200) i';
    END LOOP;
  END $$;
  INSERT INTO correlated SELECT i % 20, i % 20 / 2 FROM generate_series(1, 400) i;
  CREATE INDEX goes ON dropped (v);
  COMMENT ON INDEX goes IS 'kept for the month''s end';
  CREATE INDEX rebuilt_v ON rebuilt (v);
  CREATE INDEX theirs_a ON theirs (a);
  CREATE STATISTICS theirs_ab ON a, b FROM theirs;
  CREATE INDEX "Created_foreign" ON "Created" (lower(v));
  CREATE INDEX goes_ccnew ON dropped (v);
  CREATE INDEX rebuilt_v_ccnew ON rebuilt (v);
  CREATE INDEX rebuilt_v_ccold ON rebuilt (v);
  UPDATE pg_index SET indisvalid = false WHERE indexrelid IN
    ('"Created_foreign"'::regclass, 'goes_ccnew'::regclass, 'rebuilt_v_ccnew'::regclass, 'rebuilt_v_ccold'::regclass);
`;

async function indexEffect(dsn: string, schema: string, name: string) {
  const [row] = await rows<{ valid: boolean }>(
    dsn,
    `SELECT indisvalid AND indisready AND indislive AS valid FROM pg_index
     WHERE indexrelid = to_regclass(format('%I.%I', $1::text, $2::text))`,
    [schema, name],
  );
  return row === undefined ? 'absent' : row.valid ? 'valid' : 'invalid';
}

async function truth(dsn: string, sql: string, values: unknown[]): Promise<'done' | 'undone'> {
  const [row] = await rows<{ yes: boolean | null }>(dsn, sql, values);
  return row?.yes ? 'done' : 'undone';
}

const lockedOut = (schema: string, table: string) =>
  `LOCK TABLE ${schema}.${table} IN SHARE UPDATE EXCLUSIVE MODE`;

export const SETTING = { name: 'geqo_threshold', before: '13', value: '14' };

export const subjects: Subject[] = [
  {
    name: 'index.create',
    entries: 2,
    change: (schema) => ({
      kind: 'index.create',
      index: {
        schema,
        table: 'Created',
        name: 'Created Idx',
        method: 'btree',
        unique: false,
        keys: [{ ...column(''), column: null, expression: 'lower(v)' }],
        include: [],
        where: null,
        options: {},
      },
    }),
    hold: (schema) => [`SELECT count(*) FROM ${schema}.theirs`],
    effect: async (dsn, schema) =>
      (({ valid: 'done', absent: 'undone', invalid: 'between' }) as const)[
        await indexEffect(dsn, schema, 'Created Idx')
      ],
  },
  {
    name: 'index.drop',
    entries: 2,
    change: (schema) => ({
      kind: 'index.drop',
      schema,
      table: 'dropped',
      name: 'goes',
      definition: `CREATE INDEX goes ON ${schema}.dropped USING btree (v)`,
    }),
    hold: (schema) => [`SELECT count(*) FROM ${schema}.dropped`],
    effect: async (dsn, schema) =>
      (({ valid: 'undone', absent: 'done', invalid: 'between' }) as const)[
        await indexEffect(dsn, schema, 'goes')
      ],
  },
  {
    name: 'index.reindex',
    entries: 2,
    change: (schema) => ({
      kind: 'index.reindex',
      schema,
      table: 'rebuilt',
      name: 'rebuilt_v',
      definition: `CREATE INDEX rebuilt_v ON ${schema}.rebuilt USING btree (v)`,
    }),
    hold: (schema) => [`SELECT count(*) FROM ${schema}.rebuilt`],
    effect: async (dsn, schema) => {
      if ((await indexEffect(dsn, schema, 'rebuilt_v')) !== 'valid') return 'between';
      // The round's indexes were made one after the other: a rebuilt one has a later OID than all of them.
      return truth(
        dsn,
        `SELECT to_regclass($1 || '.rebuilt_v')::oid > to_regclass($1 || '.rebuilt_v_ccold')::oid AS yes`,
        [schema],
      );
    },
  },
  {
    name: 'setting',
    entries: 3,
    change: () => ({
      kind: 'setting',
      name: SETTING.name,
      value: SETTING.value,
      current_value: SETTING.before,
      context: 'user',
    }),
    hold: () => [],
    effect: async (dsn) => {
      const [row] = await rows<{ now: string; entry: string | null }>(
        dsn,
        `SELECT current_setting($1) AS now,
                (SELECT setting FROM pg_file_settings WHERE name = $1 ORDER BY seqno DESC LIMIT 1) AS entry`,
        [SETTING.name],
      );
      if (row?.now !== row?.entry) return 'between';
      return row?.now === SETTING.value ? 'done' : row?.now === SETTING.before ? 'undone' : 'between';
    },
  },
  {
    name: 'table.reloptions',
    entries: 2,
    change: (schema) => ({
      kind: 'table.reloptions',
      schema,
      table: 'optioned',
      set: { fillfactor: '77' },
      reset: ['autovacuum_enabled'],
      previous: { fillfactor: null, autovacuum_enabled: 'off' },
    }),
    hold: (schema) => [lockedOut(schema, 'optioned')],
    effect: async (dsn, schema) => {
      const [row] = await rows<{ options: string[] | null }>(
        dsn,
        `SELECT reloptions AS options FROM pg_class WHERE oid = to_regclass($1)`,
        [`${schema}.optioned`],
      );
      const now = (row?.options ?? []).join();
      return now === 'fillfactor=77' ? 'done' : now === 'autovacuum_enabled=off' ? 'undone' : 'between';
    },
  },
  {
    name: 'statistics.create',
    entries: 2,
    change: (schema) => ({
      kind: 'statistics.create',
      schema,
      table: 'correlated',
      name: 'ours_ab',
      kinds: ['dependencies'],
      columns: ['a', 'b'],
    }),
    hold: (schema) => [lockedOut(schema, 'correlated')],
    effect: async (dsn, schema) => {
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
    entries: 2,
    change: (schema) => ({ kind: 'analyze', schema, table: 'analysed' }),
    hold: (schema) => [lockedOut(schema, 'analysed')],
    effect: (dsn, schema) =>
      truth(dsn, `SELECT EXISTS (SELECT FROM pg_statistic WHERE starelid = to_regclass($1)) AS yes`, [
        `${schema}.analysed`,
      ]),
  },
  {
    name: 'vacuum',
    entries: 2,
    change: (schema) => ({ kind: 'vacuum', schema, table: 'vacuumed', freeze: true, analyze: false }),
    hold: (schema) => [lockedOut(schema, 'vacuumed')],
    effect: (dsn, schema) =>
      // −1 until a first VACUUM or ANALYZE has counted.
      truth(dsn, `SELECT reltuples >= 0 AS yes FROM pg_class WHERE oid = to_regclass($1)`, [
        `${schema}.vacuumed`,
      ]),
  },
];
