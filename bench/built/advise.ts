/** The product's own way from a server to recommended indexes: collect, twin, rule. */
import { rule } from '../../src/advise/rules/index/missing.ts';
import { collectSnapshot } from '../../src/collect/index.ts';
import type { RuleResult, Snapshot, Window, Workload } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { openTwin } from '../../src/whatif/index.ts';

/** A snapshot as the service takes it. */
export async function collect(dsn: string): Promise<Snapshot> {
  const session = await openTarget(dsn, { applicationName: 'pgluthier:bench', readOnly: true });
  try {
    return await collectSnapshot(session);
  } finally {
    await session.close();
  }
}

export interface Advice {
  result: RuleResult;
  /** Of the rule alone; the twin's start is not in it. */
  seconds: number;
}

/** Runs index/missing on a twin of the snapshot. */
export async function advise(
  seen: { snapshot: Snapshot; window: Window | null; workload: Workload },
  budget: number | null,
): Promise<Advice> {
  const twin = await openTwin(seen.snapshot);
  try {
    const started = performance.now();
    const result = await rule.evaluate({
      ...seen,
      what_if: twin,
      index_budget_bytes: budget,
      progress: () => {},
      deadline: Date.now() + 300_000,
    });
    return { result, seconds: (performance.now() - started) / 1000 };
  } finally {
    await twin.close();
  }
}
