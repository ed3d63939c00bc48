/**
 * The size under which a candidate is planned. How many workers share a scan hangs on its pages by steps
 * (compute_parallel_worker() of allpaths.c): one from min_parallel_index_scan_size on, one more for each tripling, and a
 * scan of a whole index gets a sixth or a third cheaper by one page more. A size is predicted to within some per cent.
 * Where a step lies in between, the index is planned below it: costs that are said come about on either side.
 */
import type { IndexSize, Snapshot } from '../../domain/index.ts';

/** Real size ÷ predicted, least, of a B-tree of which statistics leave nothing open (size-range.ts). */
const LEAST = 0.95;
/** Pages that give a worker more are these times those of the last. */
const STEP = 3;
/** Default of min_parallel_index_scan_size, pages. */
const DEFAULT_MINIMUM = 64;

/** As the planner of the target is to see it; the size itself, where no step is near. */
export function plannedSize(
  size: IndexSize,
  { method, is_partitioned }: { method: string; is_partitioned: boolean },
  { settings }: Pick<Snapshot, 'settings'>,
): IndexSize {
  const read = (name: string, fallback: number) =>
    Number(settings.find((row) => row.name === name)?.setting ?? fallback);
  // Of other methods none is scanned by several workers; of partitions each has a size of its own.
  if (method !== 'btree' || is_partitioned || read('max_parallel_workers_per_gather', 2) === 0) return size;
  let step = Math.max(1, read('min_parallel_index_scan_size', DEFAULT_MINIMUM));
  if (size.pages < step) return size;
  while (size.pages >= step * STEP) step *= STEP;
  return LEAST * size.pages < step ? { ...size, pages: Math.max(1, step - 1) } : size;
}
