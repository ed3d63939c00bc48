/** Types sorted by what a value of them looks like. */
import type { ColumnRow, Snapshot } from '../domain/index.ts';

export type TypeFamily =
  | 'integer'
  | 'number'
  | 'text'
  | 'boolean'
  | 'timestamp'
  | 'date'
  | 'time'
  | 'interval'
  | 'uuid'
  | 'json'
  | 'bytea'
  | 'inet'
  | 'range'
  | 'array'
  | 'tsvector'
  | 'tsquery'
  | 'vector'
  | 'other';

/** Both the SQL names (format_type) and the internal ones (a parse tree's). */
const FAMILIES: ReadonlyMap<string, TypeFamily> = new Map(
  (
    [
      ['integer', 'smallint integer bigint int int2 int4 int8 oid xid cid'],
      ['number', 'numeric decimal real float4 float8 money'],
      ['text', 'text character varchar bpchar char name citext xml'],
      ['boolean', 'boolean bool'],
      ['timestamp', 'timestamp timestamptz'],
      ['date', 'date'],
      ['time', 'time timetz'],
      ['interval', 'interval'],
      ['uuid', 'uuid'],
      ['json', 'json jsonb'],
      ['bytea', 'bytea'],
      ['inet', 'inet cidr'],
      ['range', 'int4range int8range numrange tsrange tstzrange daterange'],
      ['tsvector', 'tsvector'],
      ['tsquery', 'tsquery'],
      ['vector', 'vector halfvec'],
    ] as const
  ).flatMap(([family, names]) => names.split(' ').map((name): [string, TypeFamily] => [name, family])),
);

/** Family of a type's name, with its modifier or without: `character varying(40)`, `public.citext`, `int8`. */
export function familyOfType(type: string): TypeFamily {
  if (type.endsWith('[]')) return 'array';
  const bare = type.split('(')[0]?.trim() ?? type;
  const unqualified = bare.slice(bare.lastIndexOf('.') + 1);
  const [first = '', second] = unqualified.split(' ');
  if (first === 'double' && second === 'precision') return 'number';
  return FAMILIES.get(first) ?? 'other';
}

/** Family of a column, domains looked through. */
export function familyOfColumn(column: ColumnRow, snapshot: Snapshot): TypeFamily {
  if (column.typtype !== 'd') return familyOfType(column.type);
  const name = column.type.slice(column.type.lastIndexOf('.') + 1);
  const domain = snapshot.schema.domains.find(
    (each) => column.type === `${each.schema}.${each.name}` || each.name === name.replaceAll('"', ''),
  );
  return domain === undefined ? 'other' : familyOfType(domain.base_type);
}

/** Values of types that are a family of their own. */
const PLAIN_VALUES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    bit: '1',
    box: '(1,1),(0,0)',
    circle: '<(0,0),1>',
    cube: '(1)',
    hstore: '"key"=>"value"',
    jsonpath: '$.key',
    line: '{1,1,0}',
    lquery: 'a',
    lseg: '[(0,0),(1,1)]',
    ltree: 'a',
    macaddr: '08:00:2b:01:02:03',
    path: '((0,0),(1,1))',
    pg_lsn: '0/0',
    point: '(0,0)',
    polygon: '((0,0),(1,1),(1,0))',
    regclass: 'pg_class',
    regtype: 'int4',
    varbit: '1',
  }),
);

/** A value of a type that is no column's, or of a column without statistics; null: none is known. */
export function plainValueOfType(type: string, takenAt: string): string | null {
  const bare = type.split('(')[0]?.trim() ?? type;
  const own = PLAIN_VALUES.get(bare.slice(bare.lastIndexOf('.') + 1));
  return own ?? plainValue(familyOfType(type), takenAt);
}

/**
 * A value of a family where no statistics offer one; null: none that every such type takes.
 * @param takenAt Time of the snapshot: "now" for the target.
 */
export function plainValue(family: TypeFamily, takenAt: string): string | null {
  switch (family) {
    case 'integer':
    case 'number':
      return '1';
    case 'text':
      return 'x';
    case 'boolean':
      return 'true';
    case 'timestamp':
      return takenAt;
    case 'date':
      return takenAt.slice(0, 10);
    case 'time':
      return '12:00';
    case 'interval':
      return '1 day';
    case 'uuid':
      return '00000000-0000-0000-0000-000000000000';
    case 'json':
    case 'array':
      return '{}';
    case 'bytea':
      return '\\x00';
    case 'inet':
      return '127.0.0.1';
    case 'range':
      return 'empty';
    case 'tsvector':
    case 'tsquery':
      return 'x';
    case 'vector':
    case 'other':
      return null;
  }
}
