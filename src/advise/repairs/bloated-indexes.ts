/** B-trees that a rebuild would make much smaller: by estimate, or by what was measured of them. */
import type { BloatEstimate, BtreeDensity, IndexRow, Limit, Snapshot } from '../../domain/index.ts';
import { estimateBloat } from '../bloat/estimate.ts';

const MB = 1024 * 1024;
/** Less is not worth a rebuild. */
export const MINIMUM_WASTE = 100 * MB;
/** Under random inserts a B-tree settles at about 70 % full, a quarter less than new. */
export const MINIMUM_SHARE = 0.4;
/** BTREE_DEFAULT_FILLFACTOR (nbtree.h). */
const DEFAULT_FILLFACTOR = 90;

export interface BloatedIndex extends BloatEstimate {
  index: IndexRow;
}

const isBloated = (bloat: BloatEstimate, minimumWaste: number) =>
  bloat.wasted_bytes >= minimumWaste && bloat.wasted_share >= MINIMUM_SHARE;

/**
 * Bloated by estimate, the largest waste first.
 * @param minimumWaste bytes.
 */
export function bloatedByEstimate(
  snapshot: Snapshot,
  minimumWaste: number = MINIMUM_WASTE,
): { bloated: BloatedIndex[]; limits: Limit[] } {
  const { relations, limits } = estimateBloat(snapshot, { minimum_bytes: minimumWaste });
  const indexes = new Map(snapshot.indexes.map((index) => [index.oid, index]));
  const bloated = relations.flatMap((bloat) => {
    const index =
      bloat.kind === 'btree' && isBloated(bloat, minimumWaste) ? indexes.get(bloat.oid) : undefined;
    return index ? [{ ...bloat, index }] : [];
  });
  return { bloated, limits };
}

/** What is worth measuring: indexes that statistics call bloated. */
export function suspectedIndexes(snapshot: Snapshot): IndexRow[] {
  return bloatedByEstimate(snapshot).bloated.map(({ index }) => index);
}

/**
 * The waste that was measured: room in leaf pages beyond the fill factor, and pages that hold nothing. A rebuild may
 * leave even less: it drops dead entries and merges equal keys anew.
 */
export function measuredBloat(index: IndexRow, density: BtreeDensity, page: number): BloatEstimate {
  const { leaf_pages, internal_pages, avg_leaf_density, empty_pages, deleted_pages, index_bytes } = density;
  const fillfactor = Number(index.reloptions.fillfactor ?? DEFAULT_FILLFACTOR);
  const share = Math.min(1, avg_leaf_density / fillfactor);
  const expected = (1 + Math.ceil((leaf_pages + internal_pages) * share)) * page;
  const wasted = Math.max(0, index_bytes - expected);
  return {
    kind: 'btree',
    oid: index.oid,
    schema: index.schema,
    name: index.name,
    table: index.table,
    actual_bytes: index_bytes,
    expected_bytes: Math.min(expected, index_bytes),
    wasted_bytes: wasted,
    wasted_share: index_bytes > 0 ? wasted / index_bytes : 0,
    level: 'measured',
    bound: 'at_least',
    formula: `size − (1 + (${leaf_pages} leaf + ${internal_pages} inner pages) × ${avg_leaf_density.toFixed(1)} % full ÷ fillfactor ${fillfactor}) × ${page}; ${empty_pages} empty and ${deleted_pages} deleted pages`,
  };
}

/** Whether what was measured bears the estimate out. */
export function bearsOut(measured: BloatEstimate, minimumWaste: number = MINIMUM_WASTE): boolean {
  return isBloated(measured, minimumWaste);
}
