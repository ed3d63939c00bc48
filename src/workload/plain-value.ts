/** A value that a type takes, whatever the type: where no statistics offer one. */
import { quoteIdentifier, quoteQualified, type Snapshot } from '../domain/index.ts';
import { familyOfType, type TypeFamily } from './type-family.ts';

/** Values of types that are a family of their own. */
const PLAIN_VALUES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    bit: '1',
    box: '(1,1),(0,0)',
    cidr: '10.0.0.0/8',
    circle: '<(0,0),1>',
    cube: '(1)',
    geography: 'POINT(0 0)',
    geometry: 'POINT(0 0)',
    hstore: '"key"=>"value"',
    jsonpath: '$.key',
    line: '{1,1,0}',
    lquery: 'a',
    lseg: '[(0,0),(1,1)]',
    ltree: 'a',
    ltxtquery: 'a',
    macaddr: '08:00:2b:01:02:03',
    macaddr8: '08:00:2b:01:02:03:04:05',
    path: '((0,0),(1,1))',
    pg_lsn: '0/0',
    pg_snapshot: '1:1:',
    txid_snapshot: '1:1:',
    point: '(0,0)',
    polygon: '((0,0),(1,1),(1,0))',
    regclass: 'pg_class',
    regconfig: 'simple',
    regdictionary: 'simple',
    regnamespace: 'pg_catalog',
    regrole: 'pg_monitor',
    regtype: 'int4',
    tid: '(0,0)',
    varbit: '1',
  }),
);

const FAMILY_VALUES: Readonly<
  Record<Exclude<TypeFamily, 'timestamp' | 'date' | 'vector' | 'other'>, string>
> = {
  integer: '1',
  number: '1',
  text: 'x',
  boolean: 'true',
  time: '12:00',
  interval: '1 day',
  uuid: '00000000-0000-0000-0000-000000000000',
  json: '{}',
  array: '{}',
  multirange: '{}',
  bytea: '\\x00',
  inet: '127.0.0.1',
  range: 'empty',
  tsvector: 'x',
  tsquery: 'x',
};

/**
 * A value of a family; null: none that every such type takes.
 * @param takenAt time of the snapshot: "now" for the target.
 */
function familyValue(family: TypeFamily, takenAt: string): string | null {
  if (family === 'timestamp') return takenAt;
  if (family === 'date') return takenAt.slice(0, 10);
  return family === 'vector' || family === 'other' ? null : FAMILY_VALUES[family];
}

/** `schema.name`, `name` as format_type and as a parse tree's last part give them. */
function isNamed(each: { schema: string; name: string }, type: string): boolean {
  return (
    type === quoteQualified(each.schema, each.name) ||
    type === quoteIdentifier(each.name) ||
    type === each.name
  );
}

/** What a type is made of: a domain's base, down to a type that is none; else the type. */
export function baseType(type: string, snapshot: Snapshot): string {
  const domain = snapshot.schema.domains.find((each) => isNamed(each, type));
  return domain === undefined ? type : baseType(domain.base_type, snapshot);
}

/** A domain, or an array of one, whose checks a made-up value might fail; null: the type has none. */
export function hasChecks(type: string, snapshot: Snapshot): boolean {
  const element = type.endsWith('[]') ? type.slice(0, -2) : type;
  const domain = snapshot.schema.domains.find((each) => isNamed(each, element));
  return domain !== undefined && (domain.checks.length > 0 || hasChecks(domain.base_type, snapshot));
}

/** Family of any type of this database: domains looked through, types of its own making known. */
export function familyIn(type: string, snapshot: Snapshot): TypeFamily {
  const base = baseType(type, snapshot);
  if (snapshot.schema.range_types.some((each) => isNamed(each, base))) return 'range';
  const family = familyOfType(base);
  return family === 'other' && base.endsWith('multirange') ? 'multirange' : family;
}

/** Type of a range's bounds; null: not known. */
export function subtypeOf(type: string, snapshot: Snapshot): string | null {
  const own = snapshot.schema.range_types.find((each) => isNamed(each, type));
  if (own !== undefined) return own.subtype;
  const known: Record<string, string> = {
    int4: 'integer',
    int8: 'bigint',
    num: 'numeric',
    date: 'date',
    ts: 'timestamp',
    tstz: 'timestamptz',
  };
  const stem = type.endsWith('multirange')
    ? type.slice(0, -'multirange'.length)
    : type.slice(0, -'range'.length);
  return known[stem] ?? null;
}

/** Text of a value that a type takes; null: none is known. */
export function plainText(type: string, snapshot: Snapshot): string | null {
  const base = baseType(type, snapshot);
  if (base.endsWith('[]')) return '{}';
  const label = snapshot.schema.enums.find((each) => isNamed(each, base))?.labels[0];
  if (label !== undefined) return label;
  const bare = base.split('(')[0]?.trim() ?? base;
  const name = bare.slice(bare.lastIndexOf('.') + 1);
  if (name === 'vector' || name === 'halfvec') return vectorText(base);
  const attributes = snapshot.schema.composite_types.find((each) => isNamed(each, base))?.attributes;
  if (attributes !== undefined) return `(${attributes.map(() => '').join(',')})`;
  return PLAIN_VALUES.get(name) ?? familyValue(familyIn(base, snapshot), snapshot.taken_at);
}

/** pgvector's text form, of the type's dimensions. */
function vectorText(type: string): string {
  const open = type.indexOf('(');
  const dimensions = open < 0 ? 1 : Number.parseInt(type.slice(open + 1), 10);
  return `[${Array.from({ length: dimensions }, (_, index) => (index === 0 ? 1 : 0)).join(',')}]`;
}
