/** Random schemas with names and values that nobody should have, as statements of which some may fail on a server. */
import fc from 'fast-check';
import { quoteIdentifier as q, quoteLiteral, quoteQualified } from '../../src/domain/index.ts';

const NAMES = [
  'plain',
  'Mixed Case',
  'quo"te',
  "apo'; DROP SCHEMA public CASCADE; --",
  'back\\slash',
  'Ünïcödé 💥',
  'select',
  ' blank ',
  'dot.ted',
  '$1 $$ %s {}',
  'new\nline',
  `long ${'x'.repeat(50)}`,
];
const VALUES = [
  "'); DROP TABLE x; --",
  '{"a\\",b}',
  'NULL',
  '',
  '\\',
  '💥\u0001',
  '},{',
  '"',
  'x'.repeat(3000),
  ' ',
  "E'\\x00'",
];

/** Types with an expression that makes a value of row `i`. */
const TYPES: [type: string, value: string][] = [
  ['int', 'i % 57'],
  ['bigint', '9223372036854775807 - i'],
  ['smallint', '(i % 3)::int2'],
  ['numeric(12,3)', 'i * 1.5'],
  ['numeric', "CASE WHEN i % 7 = 0 THEN 'NaN' ELSE repeat('9', 40) END::numeric + i"],
  ['double precision', "CASE WHEN i % 9 = 0 THEN 'Infinity'::float8 ELSE i / 3.0 END"],
  ['boolean', 'i % 4 = 0'],
  ['text', 'hostile[1 + i % cardinality(hostile)]'],
  ['text COLLATE "C"', 'md5((i % 40)::text)'],
  ['text COLLATE "en-x-icu"', "chr(65 + i % 26) || 'é'"],
  ['varchar(9)', 'substr(md5(i::text), 1, 9)'],
  ['char(3)', '(i % 10)::text'],
  [
    'timestamptz',
    "CASE WHEN i % 50 = 0 THEN 'infinity' ELSE '2024-01-01'::timestamptz + i * interval '1 hour' END",
  ],
  ['date', "'2024-02-29'::date + i % 90"],
  ['interval', "i * interval '1 day 2 hours'"],
  ['uuid', 'md5(i::text)::uuid'],
  ['bytea', "decode(md5(i::text), 'hex')"],
  ['inet', "('10.0.' || i % 200 || '.1')::inet"],
  ['jsonb', "jsonb_build_object('k', hostile[1 + i % cardinality(hostile)])"],
  ['json', '\'{"a": 1}\'::json'],
  ['text[]', 'hostile[1 : 1 + i % 3]'],
  ['int[]', 'ARRAY[i % 5, i % 11]'],
  ['int4range', 'int4range(i, i + 1 + i % 9)'],
  ['point', 'point(i, i % 7)'],
  ['tsvector', "to_tsvector('simple', 'w' || i % 9 || ' w' || i % 31)"],
  ['odd."sta te"', "(ARRAY['on', 'o''ff', 'Ü\"'])[1 + i % 3]::odd.\"sta te\""],
  ['odd.positive', '(i + 1)::odd.positive'],
  ['odd."pa ir"', 'ROW(i % 6, hostile[1 + i % 4])::odd."pa ir"'],
  ['odd.positive[]', 'ARRAY[i + 1, 2]::odd.positive[]'],
];

interface Column {
  name: string;
  type: number;
  not_null: boolean;
  nulls: boolean;
}
interface Index {
  method: string;
  columns: number[];
  expression: boolean;
  descending: boolean;
  nulls_first: boolean;
  unique: boolean;
  include: number | null;
  partial: boolean;
}
interface Table {
  columns: Column[];
  partitions: 'none' | 'range' | 'list' | 'hash' | 'inherit';
  primary_key: boolean;
  check: boolean;
  generated: boolean;
  statistics: boolean;
  references: number;
  rows: number;
  indexes: Index[];
  drop_column: boolean;
}
export interface RandomSchema {
  tables: Table[];
  names: number;
}

const column = fc.record<Column>({
  name: fc.nat(NAMES.length - 1).map((at) => NAMES[at] ?? 'plain'),
  type: fc.nat(TYPES.length - 1),
  not_null: fc.boolean(),
  nulls: fc.boolean(),
});
const index = fc.record<Index>({
  method: fc.constantFrom('btree', 'btree', 'btree', 'hash', 'gin', 'gist', 'spgist', 'brin'),
  columns: fc.array(fc.nat(7), { minLength: 1, maxLength: 3 }),
  expression: fc.boolean(),
  descending: fc.boolean(),
  nulls_first: fc.boolean(),
  unique: fc.boolean(),
  include: fc.option(fc.nat(7)),
  partial: fc.boolean(),
});
const table = fc.record<Table>({
  columns: fc.array(column, { minLength: 1, maxLength: 7 }),
  partitions: fc.constantFrom('none', 'none', 'range', 'list', 'hash', 'inherit'),
  primary_key: fc.boolean(),
  check: fc.boolean(),
  generated: fc.boolean(),
  statistics: fc.boolean(),
  references: fc.nat(3),
  rows: fc.constantFrom(0, 1, 40, 700),
  indexes: fc.array(index, { maxLength: 4 }),
  drop_column: fc.boolean(),
});
export const randomSchema: fc.Arbitrary<RandomSchema> = fc.record({
  tables: fc.array(table, { minLength: 1, maxLength: 4 }),
  names: fc.nat(NAMES.length - 1),
});

/** Statements one by one: a server refuses some (no order in json, no GIN of a number), and the rest stands. */
export function statementsOf(schema: RandomSchema): string[] {
  const space = `${NAMES[schema.names]}`.slice(0, 50);
  const list = [
    'CREATE SCHEMA odd',
    `CREATE SCHEMA ${q(space)}`,
    `CREATE TYPE odd."sta te" AS ENUM ('on', 'o''ff', 'Ü"')`,
    'CREATE FUNCTION odd.big(v int) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT v < 1000000 $$',
    'CREATE DOMAIN odd.positive AS int CHECK (VALUE > 0) CHECK (odd.big(VALUE))',
    'CREATE TYPE odd."pa ir" AS (number int, "te xt" text)',
  ];
  schema.tables.forEach((item, at) => {
    list.push(...tableStatements(schema, item, at, space));
  });
  return [...list, 'VACUUM ANALYZE'];
}

const columnName = (item: Column, at: number) => q(`${item.name.slice(0, 55)}${at}`);
const tableName = (space: string, at: number) =>
  quoteQualified(space, `${NAMES[(at * 5 + 3) % NAMES.length]?.slice(0, 50)}${at}`);

function tableStatements(schema: RandomSchema, item: Table, at: number, space: string): string[] {
  const name = tableName(space, at);
  const columns = item.columns.map(
    (each, place) =>
      `${columnName(each, place)} ${TYPES[each.type]?.[0]}${each.not_null && !each.nulls ? ' NOT NULL' : ''}`,
  );
  const parted = {
    range: ' PARTITION BY RANGE (key)',
    list: ' PARTITION BY LIST (key)',
    hash: ' PARTITION BY HASH (key)',
    none: '',
    inherit: '',
  }[item.partitions];
  const part = (suffix: string) => quoteQualified(space, `${at} part'"${suffix}`);
  const list = [
    `CREATE TABLE ${name} (gone text, key int${item.primary_key ? ' PRIMARY KEY' : ''}, other int${item.generated ? ', twice int GENERATED ALWAYS AS (key * 2) STORED' : ''}, ${columns.join(', ')}${item.check ? ', CONSTRAINT "che ck" CHECK (key >= 0)' : ''})${parted}`,
    ...(item.drop_column ? [`ALTER TABLE ${name} DROP COLUMN gone`] : []),
  ];
  if (item.partitions === 'range')
    list.push(
      `CREATE TABLE ${part('a')} PARTITION OF ${name} FOR VALUES FROM (MINVALUE) TO (300)`,
      `CREATE TABLE ${part('b')} PARTITION OF ${name} DEFAULT`,
    );
  if (item.partitions === 'list')
    list.push(
      `CREATE TABLE ${part('a')} PARTITION OF ${name} FOR VALUES IN (1, 2, NULL)`,
      `CREATE TABLE ${part('b')} PARTITION OF ${name} DEFAULT`,
    );
  if (item.partitions === 'hash')
    for (const remainder of [0, 1])
      list.push(
        `CREATE TABLE ${part(String(remainder))} PARTITION OF ${name} FOR VALUES WITH (MODULUS 2, REMAINDER ${remainder})`,
      );
  if (item.partitions === 'inherit') list.push(`CREATE TABLE ${part('child')} (more int) INHERITS (${name})`);
  item.indexes.forEach((each, place) => {
    list.push(indexStatement(item, each, `${at} inde"x ${place}`, name));
  });
  if (item.statistics && item.columns.length > 0) {
    const first = item.columns[0] as Column;
    list.push(
      `CREATE STATISTICS ${quoteQualified(space, `${at} stat's`)} ON key, ${columnName(first, 0)} FROM ${name}`,
    );
    list.push(
      `CREATE STATISTICS ${quoteQualified(space, `${at} more`)} (mcv, ndistinct, dependencies) ON other, (key % 7) FROM ${name}`,
    );
  }
  if (item.references > 0 && at > 0)
    list.push(
      `ALTER TABLE ${name} ADD CONSTRAINT "fo reign" FOREIGN KEY (other) REFERENCES ${tableName(space, (at + item.references) % at)} NOT VALID`,
    );
  const values = item.columns.map((each) =>
    each.nulls && !each.not_null
      ? `CASE WHEN i % 3 = 0 THEN NULL ELSE ${TYPES[each.type]?.[1]} END`
      : TYPES[each.type]?.[1],
  );
  list.push(
    `INSERT INTO ${name} (key, other, ${item.columns.map(columnName).join(', ')}) SELECT i, i % 13, ${values.join(', ')} FROM generate_series(1, ${item.rows}) AS i, (SELECT ARRAY[${VALUES.filter(
      (value) => !value.includes('\u0000'),
    )
      .map(quoteLiteral)
      .join(', ')}] AS hostile) AS given`,
  );
  if (schema.tables.length > 1)
    list.push(
      `CREATE VIEW ${quoteQualified(space, `${at} vi'ew`)} AS SELECT key, ${columnName(item.columns[0] as Column, 0)} FROM ${name} WHERE other < 5`,
    );
  return list;
}

function indexStatement(item: Table, wanted: Index, name: string, table: string): string {
  const names = ['key', 'other', ...item.columns.map(columnName)];
  const pick = (at: number) => names[at % names.length] ?? 'key';
  const ordered = wanted.method === 'btree';
  const keys = [...new Set(wanted.columns.map(pick))].map(
    (key) =>
      `${key}${ordered && wanted.descending ? ' DESC' : ''}${ordered && wanted.nulls_first ? ' NULLS FIRST' : ''}`,
  );
  if (wanted.expression) keys.push('(key % 10)');
  return `CREATE ${wanted.unique && ordered ? 'UNIQUE ' : ''}INDEX ${q(name)} ON ${table} USING ${wanted.method} (${keys.join(', ')})${wanted.include !== null && ordered ? ` INCLUDE (${pick(wanted.include)})` : ''}${wanted.partial ? ' WHERE other > 2' : ''}`;
}
