/** GiST: what overlaps, contains or lies near: ranges, networks, shapes, and texts by their trigrams. */
import type { IndexKey, UsagePredicate } from '../../../domain/index.ts';
import type { AdvisorCatalog, AdvisorTable } from '../catalog.ts';
import { type Candidate, makeCandidate, unorderedKey, vectorTypeOf } from './candidate.ts';
import type { Wish } from './wish.ts';

/** Types with a default GiST operator class for their containment (pg_opclass of 14 to 18). */
const SHAPES: ReadonlySet<string> = new Set(['point', 'box', 'polygon', 'circle']);
/** Types of extensions whose default GiST operator class is meant for just that. */
const OF_EXTENSIONS: ReadonlySet<string> = new Set(['geometry', 'geography', 'ltree', 'cube', 'seg']);
const NETWORKS: ReadonlySet<string> = new Set(['inet', 'cidr']);
const TEXTS = ['text', 'character varying'];
/** Types whose distance btree_gist knows (its `<->` operators). */
const MEASURED = [
  'smallint',
  'integer',
  'bigint',
  'real',
  'double precision',
  'money',
  'oid',
  'date',
  'interval',
  'time',
  'timestamp',
];

function typeOf(predicate: UsagePredicate, table: AdvisorTable): string {
  if (predicate.column === null) return (predicate.expression ?? '').includes('range(') ? 'range' : '';
  return table.columns.get(predicate.column)?.type ?? '';
}

export function spatialCandidates(wish: Wish, catalog: AdvisorCatalog): Candidate[] {
  const { table } = wish;
  const searched = wish.special.flatMap((predicate): IndexKey[] =>
    predicate.kind === 'contains' ? containmentKey(predicate, typeOf(predicate, table)) : [],
  );
  const nearest = wish.distances.flatMap((predicate): IndexKey[] =>
    distanceKey(predicate, typeOf(predicate, table), catalog),
  );
  const keys = [...searched, ...nearest];
  const candidates = keys.map((key) => makeCandidate(table, [key], { method: 'gist' }));
  // With btree_gist a scalar goes before the range: `room = 5 AND during && …` is then one search.
  const equal = wish.equalities.find(
    (predicate) => predicate.kind === 'equality' && predicate.column !== null,
  );
  if (equal !== undefined && catalog.extensions.has('btree_gist')) {
    for (const key of keys) {
      candidates.push(makeCandidate(table, [unorderedKey(equal), key], { method: 'gist' }));
    }
  }
  return candidates;
}

function containmentKey(predicate: UsagePredicate, type: string): IndexKey[] {
  const name = type.split('(')[0]?.split('.').at(-1) ?? '';
  if (name.endsWith('range') || SHAPES.has(name) || OF_EXTENSIONS.has(name)) return [unorderedKey(predicate)];
  // GiST's class for networks is not their default one.
  return NETWORKS.has(name) ? [unorderedKey(predicate, 'inet_ops')] : [];
}

function distanceKey(predicate: UsagePredicate, type: string, catalog: AdvisorCatalog): IndexKey[] {
  if (vectorTypeOf(type) !== null) return [];
  const name = type.split('(')[0]?.split('.').at(-1) ?? '';
  if (SHAPES.has(name) || OF_EXTENSIONS.has(name)) return [unorderedKey(predicate)];
  if (TEXTS.some((text) => type.startsWith(text))) {
    return catalog.extensions.has('pg_trgm') ? [unorderedKey(predicate, 'gist_trgm_ops')] : [];
  }
  const measured = MEASURED.some((each) => type.startsWith(each));
  return measured && catalog.extensions.has('btree_gist') ? [unorderedKey(predicate)] : [];
}
