/** Measures on the target, before the rules run, the indexes that statistics let suspect. */
import { suspectedIndexes } from '../advise/index.ts';
import { MEASURE_TIMEOUT_MS, measureBtrees } from '../collect/index.ts';
import { type BtreeDensity, type Limit, PgLuthierError, type Snapshot } from '../domain/index.ts';
import { withReadSession } from './target-session.ts';

export interface MeasureBloatOptions {
  dsn: string;
  /** Bytes of index files that may be read in all. */
  limit_bytes: number;
}

/** What cannot be measured is a limit: its bloat stays an estimate. */
export async function measureBloat(
  snapshot: Snapshot,
  { dsn, limit_bytes }: MeasureBloatOptions,
  progress: (message: string) => void,
): Promise<{ measured: BtreeDensity[]; limits: Limit[] }> {
  const suspects = suspectedIndexes(snapshot);
  if (suspects.length === 0) return { measured: [], limits: [] };
  progress(`measuring ${suspects.length} index(es) that seem bloated`);
  try {
    return await withReadSession(dsn, 'measure', (session) => measureBtrees(session, suspects, limit_bytes), {
      statementTimeoutMs: MEASURE_TIMEOUT_MS,
    });
  } catch (error) {
    if (!(error instanceof PgLuthierError)) throw error;
    const { code, message, remedy = null } = error;
    return { measured: [], limits: [{ scope: 'btree-density', code, message, remedy }] };
  }
}
