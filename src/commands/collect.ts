/** What `analyze` and `export` share: one snapshot, or two with so many seconds between them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { collectSnapshot } from '../collect/index.ts';
import { loadConfig } from '../config.ts';
import type { HostOverrides, Snapshot } from '../domain/index.ts';
import { withReadSession } from '../pipeline/index.ts';

/** Options that say what the server cannot. */
export interface HostOptions {
  ram?: number;
  cpu?: number;
  disk?: HostOverrides['disk_type'];
}

export function hostOverrides(options: HostOptions): HostOverrides {
  return { ram_bytes: options.ram, cpu_count: options.cpu, disk_type: options.disk };
}

/** @param seconds between the two; undefined: only one is taken. */
export async function collectOnce(
  dsn: string,
  seconds: number | undefined,
  overrides: HostOverrides,
  show: (message: string) => void,
): Promise<{ snapshot: Snapshot; first: Snapshot | null }> {
  const { column_ends } = loadConfig();
  const collect = () =>
    withReadSession(dsn, 'collect', (session) =>
      collectSnapshot(session, { host_overrides: overrides, column_ends }),
    );
  show('reading catalogs and statistics');
  const first = await collect();
  if (seconds === undefined) return { snapshot: first, first: null };
  for (let left = seconds; left > 0; left -= 1) {
    show(`watching: ${left} s left`);
    await sleep(1000);
  }
  return { snapshot: await collect(), first };
}
