/** Any workload: a snapshot file of `pgluthier export` and a folder of SQL files, as a user gives them to `analyze`. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readSnapshotFile } from '../../src/snapshot-file/index.ts';
import { workloadFromFiles } from '../../src/workload/index.ts';
import type { IndexWorkload } from './index-workload.ts';

/**
 * @param snapshotFile of `pgluthier export`.
 * @param directory its .sql files are the workload, each statement one call or what `-- calls: n` says.
 * @param budgets bytes; null: shares of what the advisor takes without one.
 */
export async function workloadOfFiles(
  snapshotFile: string,
  directory: string,
  budgets: readonly number[] | null,
): Promise<IndexWorkload> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  if (names.length === 0) throw new Error(`there is no .sql file in ${directory}`);
  const files = await Promise.all(
    names.map(async (name) => ({ name, text: await readFile(join(directory, name), 'utf8') })),
  );
  return {
    name: basename(directory),
    snapshot: (await readSnapshotFile(snapshotFile)).snapshot,
    workload: await workloadFromFiles(files),
    budgets,
  };
}
