/**
 * Between what a size that the model predicts may turn out. Ranges are those of indexes that were built and measured
 * (docs/index-benchmarks.md, test/advise/index/size-model.test.ts), by what the prediction rests on: pages of a B-tree
 * follow from widths and groups, which statistics tell well; how many entries a GIN has, and how many rows two compared
 * columns keep, they tell badly or not at all.
 */
import {
  amountWords,
  bytesWords,
  type Evidence,
  type ExtendedStatistics,
  type IndexDefinition,
  quoteIdentifier,
  quoteQualified,
} from '../../domain/index.ts';
import type { Candidate } from './candidates.ts';
import type { AdvisorTable } from './catalog.ts';
import { isCounted } from './key-combinations.ts';
import { indexSize, type SizeInput } from './size-model.ts';

/** Real size ÷ predicted, least and most, and what makes it so. */
export interface SizeRange {
  least: number;
  most: number;
  because: string;
}

export interface Sized
  extends Pick<
    Candidate,
    'definition' | 'table' | 'selectivity' | 'conditions' | 'is_guess' | 'expressions'
  > {
  /** CREATE STATISTICS objects that the size rests on. */
  statistics?: readonly ExtendedStatistics[];
}

const EXACT: SizeRange = { least: 0.98, most: 1.02, because: 'its pages follow from the table’s alone' };
const BTREE: SizeRange = {
  least: 0.95,
  most: 1.05,
  because: 'widths and groups of equal values, by pg_stats',
};
const HASH: SizeRange = { least: 0.95, most: 1.05, because: 'values fall into buckets at random' };
const EXPRESSION: SizeRange = {
  least: 0.8,
  most: 1.25,
  because: 'the statistics of its expression are derived from its column’s',
};
const GUESS: SizeRange = {
  least: 0.1,
  most: 12,
  because: 'nothing is known of its expression before there is an index or CREATE STATISTICS on it',
};
const UNKNOWN: SizeRange = { least: 0.4, most: 2.5, because: 'a key without statistics' };
/** Beside what is open of how many entries there are. */
export const GIN_ERROR = { least: 0.85, most: 1.15 } as const;
const GIN: Readonly<Record<string, string>> = {
  array: 'elements that ANALYZE does not list go on as its list ends, or as sampled arrays show',
  trigrams: 'trigrams of the values that pg_stats has',
  text: 'a hundred sampled texts do not tell words of a large vocabulary from words that are a row’s own',
  document: 'a hundred sampled documents do not tell scalars of some ten thousand values from unique ones',
};
const GIST: SizeRange = {
  least: 0.7,
  most: 1.4,
  because: 'how full its pages get depends on the order of the values',
};
const VECTORS: SizeRange = {
  least: 0.5,
  most: 2,
  because: 'reckoned from pgvector’s source, measured on no server',
};

/** What the prediction of this index may be off by. */
export function rangeOf(sized: Sized): SizeRange {
  const { definition, table, selectivity, conditions, is_guess } = sized;
  const keys =
    is_guess && definition.method !== 'gin' ? GUESS : withWhatIsOpen(rangeOfKeys(definition, table), sized);
  if (definition.where === null) return keys;
  const compared = conditions.some(({ compares }) => compares !== undefined);
  if (compared) {
    return {
      least: 0,
      // More than all rows it cannot hold.
      most: Math.max(keys.most, 1 / Math.max(1e-3, selectivity)),
      because: `no statistics tell for how many rows ${definition.where} holds; ${(100 * selectivity).toFixed(0)} % are taken, anything between none and all is possible`,
    };
  }
  if (conditions.length > 1) {
    const fewest = Math.min(...conditions.map(({ share }) => share));
    return {
      least: Math.min(0.5, keys.least),
      most: Math.max(1.2, Math.min(10, fewest / Math.max(1e-6, selectivity))) * keys.most,
      because:
        'its conditions are taken to have nothing to do with each other; at most it holds the rows of the rarest',
    };
  }
  return {
    least: 0.85 * keys.least,
    most: 1.15 * keys.most,
    because: `${keys.because}; how often its condition holds, by a sample`,
  };
}

/**
 * What statistics leave open of a GIN: how many entries there are. Of a B-tree: how many values there are, how wide the
 * values of other columns are in the rows that a condition keeps, and of several keys without CREATE STATISTICS whether
 * rows that share the one share the others, as an order's lines share its customer and its day: then equal keys are
 * merged, and the B-tree may be less than half as large.
 */
function withWhatIsOpen(range: SizeRange, sized: Sized): SizeRange {
  const { definition, table, selectivity, conditions, statistics, expressions } = sized;
  const { method, keys, include } = definition;
  if (method !== 'gin' && (method !== 'btree' || keys.some(({ column }) => column === null))) return range;
  const input: SizeInput = {
    definition,
    table,
    selectivity,
    conditions,
    expressions,
    ...(statistics ? { statistics } : {}),
  };
  const likely = indexSize(input).pages;
  const ratio = (of: Partial<SizeInput>) => indexSize({ ...input, ...of }).pages / likely;
  const isOpen = method === 'btree' && keys.length > 1 && include.length === 0 && !isCounted(input);
  const least = ratio({ bound: 'least' });
  const most = ratio({ bound: 'most' });
  const dependent = isOpen ? ratio({ dependent: true, bound: 'least' }) : 1;
  const reasons = [range.because];
  if (method === 'btree' && (least < NOTABLY_LESS || most > NOTABLY_MORE)) reasons.push(WHAT_IS_OPEN);
  if (dependent < Math.min(range.least, least)) reasons.push(dependence(definition));
  return {
    least: range.least * Math.min(1, least, dependent),
    most: range.most * Math.max(1, most),
    because: reasons.join('; '),
  };
}

const NOTABLY_LESS = 0.98;
const NOTABLY_MORE = 1.02;
const WHAT_IS_OPEN =
  'a sample does not tell how many values occur once beside those that are common, nor a condition how wide other columns are';

function dependence({ schema, table, keys }: IndexDefinition): string {
  const columns = keys.map(({ column }) => quoteIdentifier(column ?? '')).join(', ');
  return `its keys are taken to have nothing to do with each other, and where rows that share one share the others, too, it is smaller: CREATE STATISTICS (ndistinct) ON ${columns} FROM ${quoteQualified(schema, table)} and ANALYZE tell`;
}

function rangeOfKeys({ method, keys }: IndexDefinition, table: AdvisorTable): SizeRange {
  if (method === 'brin') return EXACT;
  if (method === 'hnsw' || method === 'ivfflat') return VECTORS;
  const columns = keys.flatMap(({ column }) => table.columns.get(column ?? '') ?? []);
  if (columns.some(({ stats }) => stats === null)) return UNKNOWN;
  if (method === 'gin')
    return { ...GIN_ERROR, because: GIN[contentOf(keys[0], columns[0]?.type ?? '')] ?? '' };
  if (method === 'gist' || method === 'spgist') return GIST;
  if (keys.some(({ expression }) => expression !== null)) return EXPRESSION;
  if (method === 'hash') return HASH;
  return BTREE;
}

function contentOf(key: IndexDefinition['keys'][number] | undefined, type: string): keyof typeof GIN {
  if (key?.opclass?.endsWith('gin_trgm_ops')) return 'trigrams';
  if (type === 'tsvector' || key?.expression?.includes('to_tsvector')) return 'text';
  return type.endsWith('[]') ? 'array' : 'document';
}

/** The range in bytes, as evidence. */
export function sizeRange(
  { candidate, size_bytes: bytes }: { candidate: Sized; size_bytes: number },
  statistics: readonly ExtendedStatistics[],
): Evidence {
  const { least, most, because } = rangeOf({ ...candidate, statistics });
  return {
    name: 'size, between',
    value: `${bytesWords(least * bytes)} and ${bytesWords(most * bytes)}`,
    unit: null,
    source: 'indexes that were built and measured',
    level: 'estimated',
    formula: `${amountWords(bytes)} bytes × ${least.toFixed(2)} to × ${most.toFixed(2)}: ${because}`,
  };
}
