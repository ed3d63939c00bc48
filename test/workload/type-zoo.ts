/** A table with a column of each type that people use, and of types of their own, with the awkward values of each. */

/** Literals by column; a column's type is its name unless `TYPES` says otherwise. */
const VALUES: Record<string, string[]> = {
  smallint: ['-32768', '0', '7', '32767'],
  integer: ['-5', '0', '1', '2147483647'],
  bigint: ['-9223372036854775808', '1', '9007199254740993'],
  numeric: ['NaN', '-0.5', '1e-10', '12345678901234567890.123456789'],
  numeric_10_2: ['0.01', '-99999999.99', '3.50'],
  real: ['NaN', 'Infinity', '-Infinity', '1.5', '-1e-10'],
  double_precision: ['NaN', 'Infinity', '-0', '0.1', '1e300'],
  money: ['$1.00', '-$2,345.67'],
  text: [`it's`, `back\\slash`, '', '%_%', '"quoted"', 'NULL', '{a,b}', 'ünïcödé', 'a\tb'],
  varchar: ['x', 'two words', `o'clock`],
  char_5: ['ab', 'abcde', ''],
  char_internal: ['a', 'Z'],
  name: ['pg_class', 'x'],
  citext: ['Mixed', 'mixed', 'CASE'],
  bytea: ['\\x', '\\x00ff27', '\\x5c5c'],
  boolean: ['t', 'f'],
  date: ['2024-02-29', 'infinity', '-infinity', '0044-03-15 BC', '2026-11-01'],
  timestamp: ['2025-01-01 00:00:00', 'infinity', '-infinity', '2026-11-20 10:00:00.123456'],
  timestamptz: ['2025-01-01 00:00:00+00', 'infinity', '-infinity', '2026-11-20 10:00:00.5+02'],
  time: ['00:00:00', '24:00:00', '12:34:56.789'],
  timetz: ['12:00:00+02', '23:59:59-08'],
  interval: ['1 day', '-3 mons 2 days', '00:00:01.5', '1 year'],
  uuid: ['c4ca4238-a0b9-2382-0dcc-509a6f75849b', '00000000-0000-0000-0000-000000000001'],
  json: ['{"a": 1}', '[1, "x"]', '"s"'],
  jsonb: ['{"a": 1, "b": "it\'s"}', '[1, 2]', '{"we\\"ird": null}', '3'],
  xml: ['<a>1</a>'],
  inet: ['10.0.0.1', '10.0.0.0/8', '::1'],
  cidr: ['10.0.0.0/8', '2001:db8::/32'],
  macaddr: ['08:00:2b:01:02:03'],
  macaddr8: ['08:00:2b:01:02:03:04:05'],
  bit_4: ['1010', '0000'],
  varbit: ['1', '1010101'],
  point: ['(1,2)', '(0,0)'],
  line: ['{1,-1,0}'],
  lseg: ['[(0,0),(1,1)]'],
  box: ['(1,1),(0,0)', '(3,3),(2,2)'],
  path: ['((0,0),(1,1))'],
  polygon: ['((0,0),(1,1),(2,0))'],
  circle: ['<(0,0),1>'],
  int4range: ['[1,10)', 'empty', '(,5)'],
  int8range: ['[1,100)'],
  numrange: ['[0.5,1.5]', '(,)'],
  daterange: ['[2025-01-01,2025-02-01)', 'empty', '[2025-01-01,infinity)'],
  tsrange: ['["2025-01-01 00:00","2025-01-02 00:00")'],
  tstzrange: ['["2025-01-01 00:00+00","2025-01-02 00:00+00")', 'empty'],
  int4multirange: ['{[1,2),[5,9)}', '{}'],
  tstzmultirange: ['{["2025-01-01 00:00+00","2025-01-02 00:00+00")}'],
  tsvector: [`'a':1 'fat':2 'it''s':3`, `'quick':1A`],
  tsquery: [`'fat' & 'rat'`, `'x':*`],
  pg_lsn: ['0/0', '16/B374D848'],
  oid: ['1259', '0'],
  regclass: ['pg_class', 'pg_type'],
  xid: ['3', '700'],
  tid: ['(0,1)'],
  hstore: ['"a"=>"1", "b"=>NULL', '"x y"=>"z"'],
  ltree: ['Top.Science', 'Top'],
  mood: ['sad', `it's ok`, 'Very "happy"'],
  email: ['a@b', `o'neil@example.org`],
  positive: ['1', '99'],
  amount: ['(1.5,EUR)', '(2,"U ""S"" D")'],
  floatrange: ['[1.5,2.5)', 'empty'],
  integers: ['{1,2,3}', '{}', '{NULL,5}'],
  texts: ['{a,b}', '{"it\'s","{x}","NULL"}', '{}'],
  moods: ['{sad}', `{sad,"it's ok"}`],
  emails: ['{a@b}', '{}'],
  numerics: ['{1.5,NaN}'],
  dates: ['{2025-01-01,infinity}'],
  uuids: ['{c4ca4238-a0b9-2382-0dcc-509a6f75849b}'],
  matrix: ['{{1,2},{3,4}}', '{{5,6}}'],
  boxes: ['{(1,1),(0,0);(3,3),(2,2)}'],
  jsonbs: ['{"{\\"a\\": 1}"}'],
  ranges: ['{"[1,10)",empty}'],
};

const TYPES: Record<string, string> = {
  numeric_10_2: 'numeric(10,2)',
  double_precision: 'double precision',
  varchar: 'varchar(20)',
  char_5: 'char(5)',
  char_internal: '"char"',
  bit_4: 'bit(4)',
  mood: '"Größe".mood',
  email: '"Größe".email',
  positive: '"Größe"."Positive Number"',
  amount: '"Größe".amount',
  floatrange: '"Größe".floatrange',
  integers: 'integer[]',
  texts: 'text[]',
  moods: '"Größe".mood[]',
  emails: '"Größe".email[]',
  numerics: 'numeric(10,2)[]',
  dates: 'date[]',
  uuids: 'uuid[]',
  matrix: 'integer[][]',
  boxes: 'box[]',
  jsonbs: 'jsonb[]',
  ranges: 'int4range[]',
};

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** Name of each column in the table `zoo`. */
export const zooColumns: readonly string[] = Object.keys(VALUES).map((name) => `c_${name}`);

/** Type of a column, as SQL. */
export function zooType(column: string): string {
  const name = column.slice(2);
  return TYPES[name] ?? name;
}

function row(pick: (values: string[], column: number) => string | undefined): string {
  const cells = Object.values(VALUES).map((values, column) => {
    const value = pick(values, column);
    return value === undefined ? 'null' : quote(value);
  });
  return `(${cells.join(', ')})`;
}

/**
 * SQL that makes the tables: `zoo` filled and analysed (some values common, some rare, some NULL), `zoo_empty` never
 * analysed.
 */
export function zooSchema(rows: number): string {
  const definitions = zooColumns.map((column) => `${column} ${zooType(column)}`).join(', ');
  const lines = Array.from({ length: rows }, (_, index) =>
    row((values, column) => {
      if ((index + column) % 11 === 10) return undefined;
      return values[index % 3 === 0 ? 0 : (index * 7 + column) % values.length];
    }),
  );
  return `
    create extension citext; create extension hstore; create extension ltree; create extension pg_trgm;
    create extension btree_gin; create extension btree_gist;
    create schema "Größe";
    create type "Größe".mood as enum ('sad', 'it''s ok', 'Very "happy"');
    create domain "Größe".email as text check (value like '%@%');
    create domain "Größe"."Positive Number" as integer not null check (value > 0) default 1;
    create type "Größe".amount as (value numeric, currency text);
    create type "Größe".floatrange as range (subtype = float8, subtype_diff = float8mi);
    create table zoo (${definitions.replace('"Größe"."Positive Number"', 'integer')});
    insert into zoo values ${lines.join(', ')};
    alter table zoo alter c_positive type "Größe"."Positive Number" using coalesce(c_positive, 1);
    create table zoo_empty (like zoo);
    analyze zoo;`;
}
