/**
 * What CREATE INDEX CONCURRENTLY does, counted, and how long each takes on one core with all of it in memory: it reads
 * all rows, evaluates the predicate and the expressions, sorts or puts in the entries, and writes their pages; then
 * validate_index() of index.c sorts the addresses that the index has and reads the table once more to find those that it
 * misses. All constants are of `npm run bench -- build-times`: PostgreSQL 18 and 15, 56 kinds of index over 0.05 to 1
 * million rows, 2 cores of a server of 2026, without parallel workers.
 */
import type { IndexKey, IndexSize, Snapshot } from '../../domain/index.ts';
import { columnsRead, isReadable } from '../../workload/index.ts';
import type { Candidate } from './candidates/candidate.ts';
import { type AdvisorTable, rowCount, sortsByBytes } from './catalog.ts';
import { columnOf, factsOf } from './column-facts.ts';
import { expressionWork, keepsOrder } from './expression-work.ts';
import type { KeyFacts } from './key-facts.ts';
import { indexSize } from './size-model.ts';
import { comparisonsOf, isInOrder, type SortedKey } from './sort-work.ts';

/** The table is read twice (validate_index() is the second time). */
export const PASSES = 2;
/** A row and a page that one pass reads (B-trees of a hundredth of the rows, rows of 65 bytes to 3 kB). */
const ROW = 0.085;
const PAGE = 0.5;
/** Of validation: an address among all in memory, where the index does not have them in the order of the table. */
const ADDRESS_COMPARISON = 0.0095;
/** An entry that is formed and put on its page; a page that is filled and logged. */
const ENTRY = 0.05;
const INDEX_PAGE = 32;
/** BRIN has no addresses: each row is summarised again in validation (brininsert(); 0.22 on 18, 0.35 to 0.45 on 15). */
const SUMMARY = 0.35;
/** A comparison of hash codes, one by one put in (_h_indexbuild()), and of addresses in validation (0.04 to 0.05). */
const HASHED = 0.048;
/**
 * GiST: points, and ranges and scalars from 18 on, are sorted (0.10 to 0.12); others are put in row by row, and pages
 * split: boxes 0.22 to 0.3, ranges 0.1 where they have an end in common, else 0.47 to 0.6; signatures of texts of 50
 * bytes (gist_trgm_ops) 0.87 to 0.98.
 */
const GIST = { sorted: 0.11, box: 0.3, signature: 0.95, unsorted: 0.5 } as const;
/** SP-GiST over points: 0.09 to 0.11. */
const SPGIST = 0.11;
/**
 * GIN: a row of an entry is looked up among the entries in memory (rbtree.c), and its address sorted in validation: 0.034
 * to 0.047 for each doubling of the entries. Taking documents apart comes on top.
 */
const POSTING = 0.04;
const MEMBER = 0.22;

/** Some work of one kind. */
export interface Work {
  count: number;
  /** What is counted, plural. */
  of: string;
  /** Of one. */
  microseconds: number;
}

export interface BuildWork {
  work: Work[];
  /** Addresses that validation sorts. */
  addresses: number;
  /** Bytes that a sort of the entries holds; null: nothing is sorted before it is put in. */
  sorted_bytes: number | null;
  /** Values that may lie out of line are read. */
  reads_toast: boolean;
}

export interface BuiltIndex {
  candidate: Pick<Candidate, 'definition' | 'table'> &
    Partial<Pick<Candidate, 'expressions' | 'selectivity'>>;
  size: IndexSize;
}

/** Null: builds of its method were not measured. */
export function buildWork({ candidate, size }: BuiltIndex, snapshot: Snapshot): BuildWork | null {
  const { definition, table, expressions, selectivity = 1 } = candidate;
  const { method } = definition;
  // BRIN's tuples are ranges of pages.
  const rows = Math.max(rowCount(table), method === 'brin' ? 0 : size.tuples);
  const entries = method === 'brin' ? rows * selectivity : size.tuples;
  const input = { definition, table, selectivity, expressions };
  const { keys, include } = factsOf(input);
  const sorted: SortedKey[] = definition.keys.flatMap((key, place) => {
    const facts = keys[place];
    if (facts === undefined) return [];
    return [
      { key, facts: { ...facts, correlation: orderOf(key, facts, table) }, column: columnOf(key, input) },
    ];
  });
  const evaluated = expressionsOf(candidate, rows, entries);
  const work: Work[] = [
    { count: PASSES * rows, of: 'rows read, each twice', microseconds: ROW },
    { count: PASSES * table.row.main_pages, of: 'pages read, each twice', microseconds: PAGE },
    ...evaluated,
  ];
  const steps = Math.log2(Math.max(2, entries));
  const widths = [...keys, ...include].reduce((sum, { width }) => sum + width, 0);
  const isVarying = sorted.some(({ column }) => column === undefined || column.typlen < 0);
  const built: BuildWork = {
    work,
    addresses: entries,
    sorted_bytes: null,
    reads_toast: evaluated.length > 0 || (isVarying && method !== 'btree' && method !== 'hash'),
  };
  switch (method) {
    case 'btree': {
      const { locale_provider } = snapshot.server;
      const database = { by_bytes: sortsByBytes(snapshot), locale_provider };
      for (const { count, of, microseconds } of comparisonsOf(sorted, entries, database)) {
        work.push({ count, of: `comparisons of ${of}`, microseconds });
      }
      if (!isInOrder(sorted)) work.push(addressSort(entries));
      work.push({ count: entries, of: 'entries', microseconds: ENTRY }, pagesWritten(size));
      return { ...built, sorted_bytes: entries * (TUPLE_HEADER + widths) };
    }
    case 'hash':
      work.push({ count: entries * steps, of: 'comparisons of hash codes', microseconds: HASHED });
      return { ...built, sorted_bytes: entries * (TUPLE_HEADER + HASH_BYTES) };
    case 'brin':
      work.push({ count: entries, of: 'rows summarised again', microseconds: SUMMARY });
      return { ...built, addresses: 0 };
    case 'gist': {
      const microseconds = Math.max(...sorted.map((key) => GIST[gistKind(key, snapshot)]));
      work.push({ count: entries * steps, of: 'steps of putting in', microseconds });
      return built;
    }
    case 'spgist':
      work.push({ count: entries * steps, of: 'steps of putting in', microseconds: SPGIST });
      return built;
    case 'gin': {
      const shape = size.gin ? size : indexSize(input);
      const postings = shape.postings ?? entries;
      const lookups = postings * Math.log2(Math.max(2, shape.gin?.entries ?? 2));
      work.push(
        { count: lookups, of: 'steps of looking entries up', microseconds: POSTING },
        pagesWritten(size),
      );
      const isDocument = sorted.some(({ column }) => column?.type === 'jsonb');
      if (isDocument) work.push({ count: postings, of: 'parts of documents', microseconds: MEMBER });
      return { ...built, addresses: postings };
    }
    default:
      return null;
  }
}

/** Correlation of the key, or of the time that it is cut out of, as far as it is known. */
function orderOf({ expression }: IndexKey, { correlation }: KeyFacts, table: AdvisorTable): number | null {
  if (correlation !== null || expression === null || !isReadable(expression) || !keepsOrder(expression))
    return correlation;
  const [only = ''] = columnsRead(expression);
  return table.columns.get(only)?.stats?.correlation ?? null;
}

/** IndexTupleData and the slot in the sort's memory that points to it (SortTuple). */
const TUPLE_HEADER = 32;
const HASH_BYTES = 4;

const addressSort = (entries: number): Work => ({
  count: entries * Math.log2(Math.max(2, entries)),
  of: 'comparisons of addresses',
  microseconds: ADDRESS_COMPARISON,
});

const pagesWritten = ({ pages }: IndexSize): Work => ({
  count: pages,
  of: 'pages written',
  microseconds: INDEX_PAGE,
});

/** Classes with a sort support function: points since 14, ranges and btree_gist's since 18; of several keys, all of them. */
function gistKind({ column, key }: SortedKey, { server }: Snapshot): keyof typeof GIST {
  if (column === undefined) return 'unsorted';
  const { type, typcategory } = column;
  if (type === 'tsvector' || key.opclass?.endsWith('gist_trgm_ops')) return 'signature';
  if (type === 'point') return 'sorted';
  if (type === 'box') return 'box';
  const has = server.server_version_num >= 180_000 && ['R', 'N', 'D', 'T', 'S'].includes(typcategory);
  return has ? 'sorted' : 'unsorted';
}

/**
 * The predicate is evaluated for each row, and once more for those that the index does not have; keys for those that it
 * takes, by BRIN twice.
 */
function expressionsOf(
  { definition, table }: BuiltIndex['candidate'],
  rows: number,
  entries: number,
): Work[] {
  const { where, keys, method } = definition;
  const predicate = where === null ? [] : evaluations(where, table, rows + Math.max(0, rows - entries));
  const times = method === 'brin' ? PASSES : 1;
  return [
    ...predicate,
    ...keys.flatMap(({ expression }) =>
      expression === null ? [] : evaluations(expression, table, times * entries),
    ),
  ];
}

function evaluations(expression: string, table: AdvisorTable, times: number): Work[] {
  // A server that is newer than the parser may write what it cannot read: `index_unreadable` says so.
  if (!isReadable(expression)) return [];
  const each = expressionWork(expression, table);
  const { comparison, call, byte } = each.microseconds;
  const work: Work[] = [
    { count: times * each.comparisons, of: 'conditions evaluated', microseconds: comparison },
    { count: times * each.calls, of: 'calls in expressions', microseconds: call },
    { count: times * each.bytes, of: 'bytes that expressions read', microseconds: byte },
  ];
  return work.filter(({ count }) => count > 0);
}
