/** What statements wrote to temporary files, by statement and by role. */
import type { Evidence, RuleContext, StatementDelta, WorkloadQuery } from '../../domain/index.ts';
import { temporaryTime } from '../../workload/index.ts';
import { percent } from '../health/words.ts';

/** Bytes a second that a disk of a kind writes and reads in order, at least; what stays in the page cache is faster. */
const DISK_RATE = { hdd: 100e6, ssd: 400e6, nvme: 400e6, san: 400e6 } as const;
/** Files that take less of a statement's time than this: more work_mem was measured to gain nothing, and to lose CPU. */
const COSTLY = 0.1;

/**
 * Nobody writes and reads faster, not even the page cache (a copy of memory): what seems to was timed for a part of its
 * blocks only, as counters are that began before track_io_timing was turned on.
 */
const FASTEST = 20e9;

/** What the files of a statement took of its execution time. */
export interface FileTime {
  /** 0..1; measured: of the time with the files' own, workers' added up. Estimated: at most. */
  time_share: number;
  level: Extract<Evidence['level'], 'measured' | 'estimated'>;
}

export interface Spill extends FileTime {
  query: WorkloadQuery;
  bytes_per_call: number;
}

/**
 * As it was timed (pg_stat_statements.temp_blk_read_time, temp_blk_write_time: 15 and newer with track_io_timing), else
 * by the disk's rate, a spinning disk's where its kind is not known; 1 where no time is known.
 * @param files_ms null: not timed.
 */
function fileTime(
  { snapshot }: RuleContext,
  bytes: number,
  time_ms: number,
  files_ms: number | null,
): FileTime {
  if (time_ms <= 0) return { time_share: 1, level: 'estimated' };
  if (files_ms !== null && bytes / FASTEST <= files_ms / 1000) {
    return { time_share: Math.min(1, files_ms / time_ms), level: 'measured' };
  }
  const rate = DISK_RATE[snapshot.host.disk_type.value ?? 'hdd'];
  return { time_share: Math.min(1, (2 * bytes) / rate / (time_ms / 1000)), level: 'estimated' };
}

/** Words for evidence: how much, and how it is known. */
export function fileTimeWords({ time_share, level }: FileTime): string {
  const share = percent(time_share);
  return level === 'measured'
    ? `writing and reading them back took ${share} of its own (measured: temp_blk_write_time + temp_blk_read_time)`
    : `writing and reading them back takes up to ${share} of its own (estimated: they were not timed)`;
}

/** Statements that wrote temporary blocks, the largest per call first. */
export function allSpills(context: RuleContext): Spill[] {
  const { workload, snapshot } = context;
  return workload.queries
    .filter((query) => query.temp_blks_written > 0 && query.calls > 0)
    .map((query) => {
      const bytes = query.temp_blks_written * snapshot.server.block_size;
      return {
        query,
        bytes_per_call: bytes / query.calls,
        ...fileTime(context, bytes, query.total_exec_time_ms, query.temp_io_time_ms ?? null),
      };
    })
    .sort((a, b) => b.bytes_per_call - a.bytes_per_call);
}

/**
 * Those of them whose files take a tenth of their time, or may where they were not timed. With 10 MB a second of execution, in the page cache, 64 MB of
 * work_mem in place of 4 MB took 11 % more CPU (docs/settings-benchmark.md): sorts and hashes that stay in the
 * processor's caches make up for files that small.
 */
export function spillsOf(context: RuleContext): Spill[] {
  return allSpills(context).filter(({ time_share }) => time_share >= COSTLY);
}

export interface RoleSpill {
  role: string;
  /** Of the role alone, the largest per call first. */
  statements: (FileTime & {
    query: WorkloadQuery;
    calls: number;
    bytes_per_call: number;
    temp_bytes: number;
  })[];
  /** Share of the workload's time that the role's spilling statements take. */
  share_of_time: number;
}

/**
 * Spills by who sent them, as far as they cost (spillsOf). pg_stat_statements has a row for each role; a workload's
 * query joins them. Index builds and other utility statements are no queries of the workload and stay out: they sort in
 * maintenance_work_mem.
 */
export function spillsByRole(context: RuleContext): {
  spilling: RoleSpill[];
  /** Roles that sent statements of the workload and spilled nothing that costs. */
  others: string[];
} {
  const { window, snapshot, workload } = context;
  const rows: readonly Pick<
    StatementDelta,
    | 'queryid'
    | 'user'
    | 'calls'
    | 'temp_blks_written'
    | 'temp_blk_read_time_ms'
    | 'temp_blk_write_time_ms'
    | 'total_exec_time_ms'
  >[] = window?.statements ?? snapshot.statements;
  const queries = new Map(workload.queries.flatMap((query) => query.queryids.map((id) => [id, query])));
  const roles = new Map<string, RoleSpill>();
  const all = new Set<string>();
  for (const row of rows) {
    const query = queries.get(row.queryid);
    if (!query || row.user === null || row.calls === 0) continue;
    all.add(row.user);
    const temp_bytes = row.temp_blks_written * snapshot.server.block_size;
    const files = fileTime(context, temp_bytes, row.total_exec_time_ms, temporaryTime(row));
    if (temp_bytes === 0 || files.time_share < COSTLY) continue;
    const spill = roles.get(row.user) ?? { role: row.user, statements: [], share_of_time: 0 };
    roles.set(row.user, spill);
    spill.statements.push({
      ...files,
      query,
      calls: row.calls,
      bytes_per_call: temp_bytes / row.calls,
      temp_bytes,
    });
    if (workload.database_time_ms > 0)
      spill.share_of_time += row.total_exec_time_ms / workload.database_time_ms;
  }
  for (const { statements } of roles.values()) statements.sort((a, b) => b.bytes_per_call - a.bytes_per_call);
  return {
    spilling: [...roles.values()].sort((a, b) => b.share_of_time - a.share_of_time),
    others: [...all].filter((role) => !roles.has(role)).sort(),
  };
}
