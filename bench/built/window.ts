/** What a workload was between two snapshots, as the service would see it. */
import type { Snapshot, Window, Workload } from '../../src/domain/index.ts';
import { diffSnapshots, workloadFromWindow } from '../../src/workload/index.ts';
import { collect } from './advise.ts';

export interface SeenRun {
  snapshot: Snapshot;
  window: Window;
  workload: Workload;
}

/** Snapshots of each database before and after the work; what ran on each in between. */
export async function seenRuns(dsns: readonly string[], work: () => Promise<unknown>): Promise<SeenRun[]> {
  const first: Snapshot[] = [];
  for (const dsn of dsns) first.push(await collect(dsn));
  await work();
  const runs: SeenRun[] = [];
  for (const [at, dsn] of dsns.entries()) {
    const snapshot = await collect(dsn);
    const window = diffSnapshots(first[at] as Snapshot, snapshot);
    runs.push({ snapshot, window, workload: await workloadFromWindow(window, snapshot) });
  }
  return runs;
}
