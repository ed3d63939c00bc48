/** What a verdict is made from, and what it is. */
import type { Change, Snapshot, TableRow, Verdict, Window, Workload } from '../../domain/index.ts';

/** One side of the comparison: a window, its workload, and the snapshot at its end. */
export interface Side {
  window: Window;
  workload: Workload;
  snapshot: Snapshot;
  /** The window in parts, in their order, each long enough to hold something. Absent: it was not cut. */
  intervals?: Interval[];
}

/** A part of a side's window, with the tables as they were at its end. */
export interface Interval {
  window: Window;
  tables: TableRow[];
}

export interface VerifyInput {
  change: Change;
  /** Statements that the advice was about. */
  affected_query_ids: string[];
  /** Statements that other changes made since the window before may have moved: they are no controls. */
  otherwise_changed_query_ids: string[];
  before: Side;
  after: Side;
  /** Two-sided p, after correction for several statements, below which a difference counts: see looks.ts. */
  max_p: number;
}

/** A verdict, and whether more time could still change it. */
export interface Judgement {
  verdict: Verdict;
  retry: boolean;
}

export function judgement(
  verdict: Verdict['verdict'],
  reason: string,
  retry: boolean,
  found: Partial<Pick<Verdict, 'statements' | 'measures'>> = {},
): Judgement {
  return {
    verdict: { verdict, reason, statements: found.statements ?? [], measures: found.measures ?? [] },
    retry,
  };
}
