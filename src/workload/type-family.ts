/** Types sorted by what a value of them looks like. */
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
  | 'multirange'
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
      [
        'multirange',
        'int4multirange int8multirange nummultirange tsmultirange tstzmultirange datemultirange',
      ],
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
