/**
 * Between what a size that the model predicts may turn out. Ranges are those of indexes that were built and measured
 * (docs/index-benchmarks.md, test/advise/index/size-model.test.ts), by what the prediction rests on: pages of a B-tree
 * follow from widths and groups, which statistics tell well; how many entries a GIN has, and how many rows two compared
 * columns keep, they tell badly or not at all.
 */
import type { Evidence, ExtendedStatistics, IndexDefinition } from '../../domain/index.ts';
import type { Candidate } from './candidates.ts';
import type { AdvisorTable } from './catalog.ts';
import { megabytes } from './left-out.ts';
import { indexSize, knownCombinations } from './size-model.ts';

/** Real size ÷ predicted, least and most, and what makes it so. */
export interface SizeRange {
  least: number;
  most: number;
  because: string;
}

interface Sized extends Pick<Candidate, 'definition' | 'table' | 'selectivity' | 'conditions' | 'is_guess'> {
  /** CREATE STATISTICS objects that the size rests on. */
  statistics?: readonly ExtendedStatistics[];
}

const EXACT: SizeRange = { least: 0.98, most: 1.02, because: 'its pages follow from the table’s alone' };
const BTREE: SizeRange = {
  least: 0.95,
  most: 1.05,
  because: 'widths and groups of equal values, by pg_stats',
};
const TEXTS: SizeRange = {
  least: 0.86,
  most: 1.05,
  because: 'texts that repeat are taken to be drawn at random; if each occurs equally often, it is smaller',
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
const GIN: Readonly<Record<string, SizeRange>> = {
  array: {
    least: 0.8,
    most: 1.2,
    because: 'elements that are not among the most common ones go on as those end',
  },
  trigrams: { least: 0.8, most: 1.25, because: 'trigrams of the values that pg_stats has' },
  text: {
    least: 0.6,
    most: 1.3,
    because: 'lexemes that are not among the most common ones go on as those end',
  },
  document: {
    least: 0.5,
    most: 1.4,
    because: 'a hundred sampled documents do not tell scalars of some ten thousand values from unique ones',
  },
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

const REPEATING_TEXT = /^(text|character|name|citext)/;

/** What the prediction of this index may be off by. */
export function rangeOf(sized: Sized): SizeRange {
  const { definition, table, selectivity, conditions, is_guess } = sized;
  const keys = is_guess ? GUESS : withDependence(rangeOfKeys(definition, table), sized);
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
 * Of several keys without CREATE STATISTICS nothing tells whether rows that share the one share the others, as an
 * order's lines share its customer and its day: then equal keys are merged, and the B-tree may be less than half as large.
 */
function withDependence(range: SizeRange, { definition, table, selectivity, statistics }: Sized): SizeRange {
  const { method, keys, include } = definition;
  if (method !== 'btree' || keys.length < 2 || include.length > 0) return range;
  if (keys.some(({ column }) => column === null)) return range;
  const input = { definition, table, selectivity, ...(statistics ? { statistics } : {}) };
  if (selectivity >= 1 && knownCombinations(input) !== undefined) return range;
  const ratio = indexSize({ ...input, dependent: true }).pages / indexSize(input).pages;
  if (ratio > range.least) return range;
  return {
    ...range,
    least: range.least * ratio,
    because: `${range.because}; its keys are taken to have nothing to do with each other, and where rows that share one share the others, too, it is smaller`,
  };
}

function rangeOfKeys({ method, keys }: IndexDefinition, table: AdvisorTable): SizeRange {
  if (method === 'brin') return EXACT;
  if (method === 'hnsw' || method === 'ivfflat') return VECTORS;
  const columns = keys.flatMap(({ column }) => table.columns.get(column ?? '') ?? []);
  if (columns.some(({ stats }) => stats === null)) return UNKNOWN;
  if (method === 'gin') return GIN[contentOf(keys[0], columns[0]?.type ?? '')] ?? UNKNOWN;
  if (method === 'gist' || method === 'spgist') return GIST;
  if (keys.some(({ expression }) => expression !== null)) return EXPRESSION;
  if (method === 'hash') return HASH;
  const [first] = columns;
  const repeats = (first?.stats?.n_distinct ?? -1) > -0.99;
  const isText = first !== undefined && REPEATING_TEXT.test(first.type);
  // With further keys groups are those of all of them together, which are few where any of them is unique.
  return isText && repeats && !table.referred.has(first.name) ? TEXTS : BTREE;
}

function contentOf(key: IndexDefinition['keys'][number] | undefined, type: string): string {
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
    value: `${megabytes(least * bytes)} and ${megabytes(most * bytes)}`,
    unit: null,
    source: 'indexes that were built and measured',
    level: 'estimated',
    formula: `${bytes} bytes × ${least.toFixed(2)} to × ${most.toFixed(2)}: ${because}`,
  };
}
