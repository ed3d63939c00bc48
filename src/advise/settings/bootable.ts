/** Values that may keep a server from starting, or from starting again: they are never proposed, whatever a formula says. */
import { ACTIVITY_HIDDEN, type RuleContext, type SettingRow } from '../../domain/index.ts';
import { setting } from './facts.ts';

/** A standby stops replaying, or does not start, where one of these is less than on its primary (xlogrecovery.c). */
const STANDBY_NEEDS: ReadonlySet<string> = new Set([
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
]);

/**
 * Words with which the server does not start where the host does not play along: huge pages that the kernel has not,
 * io_uring that the kernel, a container's seccomp profile or the build refuses.
 */
const NEEDS_THE_HOST: Readonly<Record<string, readonly string[]>> = {
  huge_pages: ['on'],
  io_method: ['io_uring'],
};

/** More of the RAM than this, and shared memory may not be had. */
const MOST_BUFFERS_SHARE = 0.75;

export interface Refusal {
  code: string;
  reason: string;
}

/** Why this value is not proposed here; null: nothing stands against it. */
export function bootRefusal(context: RuleContext, row: SettingRow, wanted: number | string): Refusal | null {
  const { snapshot } = context;
  if (typeof wanted === 'string') {
    if (NEEDS_THE_HOST[row.name]?.includes(wanted) !== true) return null;
    return {
      code: 'may_not_boot',
      reason: `with ${row.name} = ${wanted} the server does not start where the host refuses it, which cannot be seen from here`,
    };
  }
  const present = Number(row.setting);
  if (STANDBY_NEEDS.has(row.name) && snapshot.server.in_recovery && wanted < present) {
    return {
      code: 'standby_below_primary',
      reason: `a standby must have at least its primary's ${row.name}, which is not seen from here`,
    };
  }
  if (row.name === 'shared_buffers') {
    const ram = snapshot.host.ram_bytes.value;
    if (ram !== null && wanted * snapshot.server.block_size > MOST_BUFFERS_SHARE * ram) {
      return { code: 'may_not_boot', reason: 'more than three quarters of the RAM may not be had at start' };
    }
  }
  if (row.name === 'max_connections' && wanted < leastConnections(context)) {
    return {
      code: 'below_use',
      reason: `${leastConnections(context)} are in use or reserved already`,
    };
  }
  return null;
}

/** What to mind on other servers of the same cluster; null: nothing. */
export function standbyNote({ snapshot }: RuleContext, row: SettingRow, wanted: number): string | null {
  if (!STANDBY_NEEDS.has(row.name) || wanted === Number(row.setting)) return null;
  const raise = wanted > Number(row.setting);
  if (snapshot.replication.senders.length === 0 && !snapshot.server.in_recovery) {
    return raise ? 'Standbys, where there are any, must have it first: they stop replaying below it.' : null;
  }
  return raise
    ? 'Set it on the standbys first and restart them: below the primary’s value they stop replaying.'
    : 'Set it on the primary first; standbys may follow once they have replayed that.';
}

/** Connections that are reserved (16: reserved_connections) and may not be undercut: with fewer the server does not start. */
export function reservedConnections(context: RuleContext): number {
  return ['superuser_reserved_connections', 'reserved_connections'].reduce(
    (sum, name) => sum + Number(setting(context, name)?.setting ?? 0),
    0,
  );
}

/** Client sessions at once, the most that was seen; null: none could be seen, or those of other roles not. */
export function mostConnections({ snapshot, window }: RuleContext): number | null {
  const { groups } = snapshot.activity;
  if (snapshot.limits.some(({ code }) => code === ACTIVITY_HIDDEN)) return null;
  const sampled = window?.concurrency?.total_max ?? null;
  if (groups.length === 0) return sampled;
  const now = groups
    .filter(({ backend_type }) => backend_type === 'client backend')
    .reduce((sum, { sessions }) => sum + sessions, 0);
  return Math.max(now, sampled ?? 0);
}

function leastConnections(context: RuleContext): number {
  return (mostConnections(context) ?? 0) + reservedConnections(context) + 1;
}
