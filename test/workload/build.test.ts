import { describe, expect, test } from 'vitest';
import {
  fingerprint,
  workloadFromFiles,
  workloadFromSnapshot,
  workloadFromWindow,
} from '../../src/workload/index.ts';
import { mendNormalised } from '../../src/workload/mend.ts';
import { loadGrammar, tryParse } from '../../src/workload/parser.ts';
import { snapshot, statementRow } from './snapshots.ts';

describe('fingerprint', () => {
  test.each([
    ['constants', 'select * from t where a = 1', 'SELECT *  FROM t WHERE a=$1 -- x', true],
    [
      'lengths of lists',
      'select * from t where a in (1, 2)',
      'select * from t where a in ($1 /*, ... */)',
      true,
    ],
    ['rows of VALUES', 'insert into t values (1, 2)', 'insert into t values ($1, $2), ($3, $4)', true],
    ['IN against =', 'select * from t where a in (1, 2)', 'select * from t where a = 1', false],
    ['schemas', 'select * from s1.t', 'select * from s2.t', false],
    ['partitions', 'select * from orders_2024', 'select * from orders_2025', false],
    ['LIMIT against OFFSET', 'select * from t limit 1', 'select * from t offset 1', false],
    ['columns', 'select * from t where a = 1', 'select * from t where b = 1', false],
  ])('%s', async (_, a, b, same) => {
    expect((await fingerprint(a)) === (await fingerprint(b))).toBe(same);
  });
});

describe('mending what the server normalised', () => {
  test.each([
    ['select interval $1, a from t', 'select $1::interval, a from t'],
    ['select now() - interval $1 day', 'select now() - $1::interval day'],
    ['select a > timestamp with time zone $2 from t', 'select a > $2::timestamp with time zone from t'],
    ['select date $1, "My"."Type" $2', 'select $1::date, $2::"My"."Type"'],
    ['select numeric(3, 1) $1', 'select $1::numeric(3, 1)'],
    ['select extract($1 from a) from "ünï"', 'select pg_catalog.extract($1 , a) from "ünï"'],
    ['select cast($1 as interval), $2::date, a', 'select cast($1 as interval), $2::date, a'],
    [`select 'interval $1', date $1`, `select 'interval $1', $1::date`],
  ])('%s', async (broken, mended) => {
    await loadGrammar();
    const parsed = tryParse(broken);
    expect('tree' in parsed && mendNormalised(broken, parsed.tree)).toBe(mended);
  });
});

describe('workload of a server', () => {
  test('one statement of several users is one query with pooled variance', async () => {
    const row = { query: 'select * from t where a = $1', rows: 1 };
    const workload = await workloadFromSnapshot(
      snapshot({
        statements: [
          statementRow({
            ...row,
            queryid: '1',
            user: 'a',
            calls: 2,
            total_exec_time_ms: 6,
            mean_exec_time_ms: 3,
            stddev_exec_time_ms: 1,
          }),
          statementRow({
            ...row,
            queryid: '2',
            user: 'b',
            calls: 2,
            total_exec_time_ms: 30,
            mean_exec_time_ms: 15,
            stddev_exec_time_ms: 0,
            query: 'select * from t where a = 7',
          }),
          statementRow({
            queryid: '3',
            query: 'select 1 from u',
            calls: 1,
            total_exec_time_ms: 4,
            mean_exec_time_ms: 4,
          }),
        ],
      }),
    );
    expect(workload.source).toBe('cumulative');
    expect(workload.queries).toHaveLength(2);
    expect(workload.queries[0]).toMatchObject({
      calls: 4,
      total_exec_time_ms: 36,
      mean_exec_time_ms: 9,
      users: ['a', 'b'],
      queryids: ['1', '2'],
      rows: 2,
      share_of_time: 0.9,
    });
    // Times 2, 4, 15, 15: population variance 36.5.
    expect(workload.queries[0]?.stddev_exec_time_ms).toBeCloseTo(Math.sqrt(36.5));
    expect(workload.queries[0]?.query).toBe('select * from t where a = 7');
  });

  test.each([
    ['own_query', '/* pgluthier */ select * from t'],
    ['own_query', 'select /* pgluthier:apply */ * from t'],
    ['utility', 'vacuum t'],
    ['text_lost', null],
    ['text_hidden', '<insufficient privilege>'],
    ['truncated', 'select * from t where a = '],
    ['truncated', `select * from t where a = 'abc`],
    ['unparsable', 'select * frm t where'],
    ['catalog_only', 'select * from pg_class c join pg_catalog.pg_namespace n on true'],
    ['catalog_only', 'select * from information_schema.tables'],
    ['several_statements', 'select 1 from t; select 2 from t'],
  ])('%s: %s', async (code, query) => {
    const rows = [statementRow({ queryid: '1', query, calls: 3, total_exec_time_ms: 5 })];
    const workload = await workloadFromWindow({
      from: '',
      to: '',
      seconds: 1,
      statements: rows,
      tables: [],
      indexes: [],
      limits: [],
    });
    expect(workload.queries).toEqual([]);
    expect(workload.set_aside).toMatchObject([{ code, calls: 3, total_exec_time_ms: 5 }]);
    expect(workload.database_time_ms).toBe(5);
    expect(workload.limits.length > 0).toBe(
      ['text_hidden', 'text_lost', 'truncated', 'unparsable'].includes(code),
    );
  });

  test('a user table beside a catalog, or a mark within a string, stays in', async () => {
    const queries = [
      'select * from pg_class, orders',
      `select * from t where a = '/* pgluthier */'`,
      'with pg_x as (select * from t) select * from pg_x',
    ];
    const rows = queries.map((query, index) => statementRow({ queryid: String(index), query, calls: 1 }));
    const workload = await workloadFromSnapshot(snapshot({ statements: rows }));
    expect(workload.set_aside).toEqual([]);
    expect(workload.queries).toHaveLength(3);
  });
});

describe('workload of files', () => {
  const errorOf = async (text: string) => {
    try {
      await workloadFromFiles([{ name: 'w.sql', text }]);
    } catch (error) {
      return error as { code: string; message: string };
    }
    return null;
  };

  test('statements are split by the grammar and weighed by comments', async () => {
    const text = `-- a file; with a semicolon
      select 'é;' from t where a = 1; -- calls: 3
      -- calls: 2.5
      select b from "Ü" where c = 'x; -- calls: 9'; /* calls: 4 */ select 'ö' from t where a = 2;;
      select d /* calls: 6 */ from t; vacuum t; select from where;`;
    const workload = await workloadFromFiles([{ name: 'w.sql', text }]);
    expect(workload.queries.map((each) => [each.query, each.calls])).toEqual([
      [`select 'é;' from t where a = 1`, 7],
      ['select d /* calls: 6 */ from t', 6],
      [`select b from "Ü" where c = 'x; -- calls: 9'`, 2.5],
    ]);
    expect(workload.queries[0]?.share_of_time).toBeCloseTo(7 / 17.5);
    expect(workload.set_aside.map((each) => each.code).sort()).toEqual(['unparsable', 'utility']);
    expect(workload.source).toBe('files');
    expect(workload.queries.map((each) => each.texts)).toEqual([
      [
        { query: `select 'ö' from t where a = 2`, calls: 4 },
        { query: `select 'é;' from t where a = 1`, calls: 3 },
      ],
      undefined,
      undefined,
    ]);
  });

  test('of many constants the most called stay, of parameters none', async () => {
    const texts = [5, 1, 9, 2, 7, 1].map(
      (calls, at) => `-- calls: ${calls}\nselect b from t where a = ${at};`,
    );
    const { queries } = await workloadFromFiles([
      { name: 'w.sql', text: `${texts.join('\n')} select c from t where a = $1 and b = 1;` },
      { name: 'v.sql', text: 'select b from t where a = 4; select c from t where a = $1 and b = 2;' },
    ]);
    expect(queries.map((each) => each.texts)).toEqual([
      [
        { query: 'select b from t where a = 2', calls: 9 },
        { query: 'select b from t where a = 4', calls: 8 },
        { query: 'select b from t where a = 0', calls: 5 },
        { query: 'select b from t where a = 3', calls: 2 },
      ],
      undefined,
    ]);
  });

  test.each([
    ['workload_psql_command', 'select 1 from t;\n\\timing on\nselect 2', 'w.sql, line 2'],
    ['workload_calls_invalid', '\n\n-- calls: many\nselect 1', 'w.sql, line 3'],
    ['workload_calls_invalid', 'select 1; -- calls: 2\n-- calls: 3', 'w.sql, line 2'],
    ['workload_calls_invalid', '-- calls: 2\nselect 1; -- calls: 3', 'w.sql, line 2'],
    ['workload_file_unreadable', "select 1;\nselect 'abc", 'w.sql, line 2'],
    ['workload_empty', '-- nothing\n', 'w.sql'],
  ])('%s', async (code, text, place) => {
    const error = await errorOf(text);
    expect(error?.code).toBe(code);
    expect(error?.message).toContain(place);
  });
});
