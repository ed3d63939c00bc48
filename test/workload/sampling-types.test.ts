import fc from 'fast-check';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { sampleStatements, usageCatalog, workloadFromFiles } from '../../src/workload/index.ts';
import { testMajors, testServer } from '../support/servers.ts';
import { zooColumns, zooSchema, zooType } from './type-zoo.ts';

/** Conditions on any column; those that a type has no operator for are not prepared, and left out. */
function conditions(column: string): string[] {
  const type = zooType(column);
  const comparable = !['line', 'lseg', 'box', 'path', 'circle', 'xid', 'box[]'].includes(type);
  return [
    `${column} = $1`,
    `${column} <> $1`,
    `${column} > $1`,
    `$1 >= ${column}`,
    `${column} between $1 and $2`,
    `${column} in ($1, $2, $3)`,
    `${column} in ($1 /*, ... */)`,
    `${column} = any ($1)`,
    `${column} <> all ($1)`,
    `${column} = any (array[$1, $2])`,
    `${column} is distinct from $1`,
    `${column} = $1::${type}`,
    `${column} = any ($1::${type}[])`,
    `(${column}, c_integer) > ($1, $2)`,
    `(${column}, c_integer) in (($1, $2), ($3, $4))`,
    `${column} = case when c_boolean then $1 else $2 end`,
    `${column} like $1`,
    `${column}::text ilike $1`,
    `${column}::text = $1`,
    `nullif(${column}, $1) is null`,
    `coalesce(${column}, $1) = $2`,
    ...(comparable ? [`greatest(${column}, $1) = $2`] : []),
    `$1 = any (${column})`,
    `${column} @> array[$1]`,
    ...(type === 'pg_lsn' ? [] : [`${column} - $1 > $2`]),
    ...(type.startsWith('time') || type.startsWith('date') ? [`${column} + $1 < now()`] : []),
    `${column} || $1 = $2`,
    `${column} ->> $1 = $2`,
    `lower(${column}) = $1`,
    `upper(${column}) > $1`,
    `${column} @@ $1`,
    `date_trunc($1, ${column}) = $2`,
    `extract($1 from ${column}) = $2`,
    `length(${column}) > $1`,
    `abs(${column}) < $1`,
    `(${column} is null or ${column} = $1)`,
  ];
}

/** Every operator that gives a boolean and takes the column's type on its left. */
const OPERATORS = `
  select distinct a.attname::text as column, o.oprname::text as operator,
    format_type(case when o.oprright in ('anyarray'::regtype, 'anycompatiblearray'::regtype)
      then a.atttypid else o.oprright end, null) as right_type
  from pg_attribute a join pg_type t on t.oid = a.atttypid
  join pg_operator o on o.oprleft in (a.atttypid, nullif(t.typbasetype, 0))
    and o.oprresult = 'bool'::regtype and o.oprright <> 0
  where attrelid = 'zoo'::regclass and attnum > 0 order by 1, 2, 3`;

async function statementsOn(client: pg.Client): Promise<string[]> {
  const operators = await client.query<{ column: string; operator: string; right_type: string }>(OPERATORS);
  const all = ['zoo', 'zoo_empty'].flatMap((table) => [
    ...zooColumns.flatMap((column) => [
      ...conditions(column).map((condition) => `select 1 from ${table} where ${condition}`),
      `update ${table} set ${column} = $1 where ${column} = $2`,
      `insert into ${table} (${column}) values ($1)`,
    ]),
    ...operators.rows.flatMap(({ column, operator, right_type }) => [
      `select 1 from ${table} where ${column} ${operator} $1`,
      `select 1 from ${table} where ${column} ${operator} $1::${right_type}`,
    ]),
  ]);
  const preparable: string[] = [];
  for (const sql of new Set(all)) {
    try {
      await client.query(`prepare s as ${sql}`);
    } catch {
      // This type has no such operator.
      continue;
    }
    await client.query('deallocate s');
    preparable.push(sql);
  }
  return preparable;
}

const majors = [...new Set([Math.min(...testMajors), Math.max(...testMajors)])];

describe.each(majors)('on PostgreSQL %i', (major) => {
  test('a value for any parameter of any type is one that the server takes', {
    timeout: 120_000,
  }, async () => {
    // Thousands of statements would push those of other tests out of pg_stat_statements.
    const server = await testServer({ major, settings: { 'pg_stat_statements.track': 'none' } });
    const database = await server.createDatabase({ sql: zooSchema(200) });
    const client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
    try {
      const session = await openTarget(database.dsn, { applicationName: 'pgluthier:test', readOnly: true });
      const snapshot = await collectSnapshot(session).finally(() => session.close());
      const catalog = await usageCatalog(snapshot);
      const statements = await statementsOn(client);
      expect(statements.length).toBeGreaterThan(4500);
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...statements), async (text) => {
          const { queries } = await workloadFromFiles([{ name: 'zoo', text }]);
          const [query] = queries;
          if (query === undefined) throw new Error(`set aside: ${text}`);
          const { samples } = await sampleStatements(query, snapshot, catalog);
          expect(samples.length).toBeGreaterThan(0);
          for (const sample of samples) {
            await client.query(`explain ${sample.sql}`).catch((error: Error) => {
              throw new Error(`${error.message}: ${sample.sql}`);
            });
          }
          // The same again: nothing is drawn by chance.
          expect((await sampleStatements(query, snapshot, catalog)).samples).toEqual(samples);
        }),
        { numRuns: 1000 },
      );
    } finally {
      await client.end();
      await database.drop();
    }
  });
});
