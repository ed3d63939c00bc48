/** The most that max_wal_size is proposed as: a rate may be right and the disk still too small. */
import type { Evidence, RuleContext } from '../../domain/index.ts';
import { maxWalSizeOf, type WorkloadType } from './baseline.ts';
import { computed } from './facts.ts';
import { aboutMemory, formatMemory, GB } from './units.ts';

/** More would make recovery after a crash take very long. */
const MOST = 64 * GB;
const OF_RAM = 2;
const OF_DATABASE = 0.5;

/**
 * Bytes, in whole GB. The free space of the disk of pg_wal is not visible through SQL, so what is known of the host's
 * size stands for it: twice its RAM, or half of the database, which that host's disks hold already; never less than the
 * value that its workload type gets without any observation. A bound against nonsense of our own, of no benchmark.
 */
export function walCap({ snapshot }: RuleContext, type: WorkloadType): { bytes: number; evidence: Evidence } {
  const ram = snapshot.host.ram_bytes.value;
  const database = snapshot.server.database_size_bytes;
  const known: [words: string, bytes: number][] = [[`${type}: `, maxWalSizeOf(type)]];
  if (ram !== null) known.push([`${OF_RAM} × RAM `, OF_RAM * ram]);
  if (database !== null) known.push(['half of the database ', OF_DATABASE * database]);
  const largest = Math.max(...known.map(([, bytes]) => bytes));
  const bytes = Math.min(MOST, Math.ceil(largest / GB) * GB);
  const inputs = known.map(([words, value]) => `${words}${aboutMemory(value)}`).join('; ');
  return {
    bytes,
    evidence: computed(
      'most that max_wal_size may be',
      bytes,
      'bytes',
      `max(by workload type ${inputs}) in whole GB, at most ${formatMemory(MOST)}: the free space of the disk of pg_wal is not visible`,
    ),
  };
}
