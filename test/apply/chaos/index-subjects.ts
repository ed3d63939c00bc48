/** Indexes of plain tables. The invalid ones beside them are what somebody's own builds left. */
import { column, rows } from '../target.ts';
import type { Place, Subject } from './subjects.ts';

const filled = (table: string) =>
  `CREATE TABLE ${table} (id int PRIMARY KEY, v text);
   INSERT INTO ${table} SELECT i, 'v' || i % 20 FROM generate_series(1, 200) i;`;

const invalid = (...indexes: string[]) =>
  `UPDATE pg_index SET indisvalid = false WHERE indexrelid IN (${indexes.map((name) => `'${name}'::regclass`).join()});`;

export async function indexState({ dsn, schema }: Place, name: string) {
  const [row] = await rows<{ valid: boolean }>(
    dsn,
    `SELECT indisvalid AND indisready AND indislive AS valid FROM pg_index
     WHERE indexrelid = to_regclass(format('%I.%I', $1::text, $2::text))`,
    [schema, name],
  );
  return row === undefined ? 'absent' : row.valid ? 'valid' : 'invalid';
}

const made = { valid: 'done', absent: 'undone', invalid: 'between' } as const;
/** A writer: what is built or dropped concurrently waits for it. */
const written = (schema: string, table: string) => `LOCK TABLE ${schema}.${table} IN ROW EXCLUSIVE MODE`;

export const indexSubjects: Subject[] = [
  {
    name: 'index.create',
    setup: () =>
      `${filled('"Created"')} CREATE INDEX "Created_foreign" ON "Created" (lower(v)); ${invalid('"Created_foreign"')}`,
    entries: 3,
    change: ({ schema }) => ({
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
    holdRecovery: (schema) => [written(schema, '"Created"')],
    effect: async (place) => made[await indexState(place, 'Created Idx')],
  },
  {
    name: 'way back of index.drop',
    setup: () => filled('again'),
    entries: 2,
    change: ({ schema }) => ({
      kind: 'index.create',
      definition: `CREATE INDEX "Again Idx" ON ${schema}.again USING btree (v DESC)`,
      index: {
        schema,
        table: 'again',
        name: 'Again Idx',
        method: 'btree',
        unique: false,
        keys: [{ ...column('v'), direction: 'desc' }],
        include: [],
        where: null,
        options: {},
      },
    }),
    hold: (schema) => [`SELECT count(*) FROM ${schema}.theirs`],
    holdRecovery: (schema) => [written(schema, 'again')],
    effect: async (place) => made[await indexState(place, 'Again Idx')],
  },
  {
    name: 'index.drop',
    setup: () =>
      `${filled('dropped')} CREATE INDEX goes ON dropped (v); COMMENT ON INDEX goes IS 'kept for the month''s end';
       CREATE INDEX goes_ccnew ON dropped (v); ${invalid('goes_ccnew')}`,
    entries: 2,
    change: ({ schema }) => ({
      kind: 'index.drop',
      schema,
      table: 'dropped',
      name: 'goes',
      definition: `CREATE INDEX goes ON ${schema}.dropped USING btree (v)`,
    }),
    hold: (schema) => [`SELECT count(*) FROM ${schema}.dropped`],
    holdRecovery: (schema) => [written(schema, 'dropped')],
    effect: async (place) =>
      (({ valid: 'undone', absent: 'done', invalid: 'between' }) as const)[await indexState(place, 'goes')],
  },
  {
    name: 'index.reindex',
    setup: () =>
      `${filled('rebuilt')} CREATE INDEX rebuilt_v ON rebuilt (v);
       CREATE INDEX rebuilt_v_ccnew ON rebuilt (v); CREATE INDEX rebuilt_v_ccold ON rebuilt (v);
       ${invalid('rebuilt_v_ccnew', 'rebuilt_v_ccold')}`,
    entries: 3,
    change: ({ schema }) => ({
      kind: 'index.reindex',
      schema,
      table: 'rebuilt',
      name: 'rebuilt_v',
      definition: `CREATE INDEX rebuilt_v ON ${schema}.rebuilt USING btree (v)`,
    }),
    hold: (schema) => [`SELECT count(*) FROM ${schema}.rebuilt`],
    holdRecovery: (schema) => [written(schema, 'rebuilt')],
    effect: async (place) => {
      if ((await indexState(place, 'rebuilt_v')) !== 'valid') return 'between';
      // The indexes were made one after the other: a rebuilt one has a later OID than all of them.
      const [row] = await rows<{ yes: boolean }>(
        place.dsn,
        `SELECT to_regclass($1 || '.rebuilt_v')::oid > to_regclass($1 || '.rebuilt_v_ccold')::oid AS yes`,
        [place.schema],
      );
      return row?.yes ? 'done' : 'undone';
    },
  },
];
