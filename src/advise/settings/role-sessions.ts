/** Sessions that a role may have at once, and what roles with a work_mem of their own take beyond the others. */
import type { Concurrency, Evidence, RolePeak, RuleContext } from '../../domain/index.ts';
import { computed, measured, setting } from './facts.ts';
import { type MemoryUse, workMemUses } from './memory-budget.ts';
import { parseSetting } from './units.ts';

/** What whoever changes a setting of a role must know. */
export const NEW_SESSIONS_ONLY =
  'New sessions of the role have it; those that are there keep what they have until they connect anew, pools among them.';

/** Sessions are counted at moments: that many times what was seen at work is reckoned with. */
const MARGIN = 2;
/** Samples of a window; and samples that met the role at work, for its own peak to be taken for one. */
const ENOUGH_SAMPLES = 10;

/** Sessions that a role is reckoned with, each of which may sort and hash at once. */
export interface ReckonedSessions {
  sessions: number;
  /** Why so many, in words for people. */
  source: string;
  /** The same with what was measured, for evidence. */
  evidence: Evidence[];
}

const RECKONED = 'sessions of the role reckoned with';

/**
 * Its CONNECTION LIMIT; else by its own sessions: twice the most that were seen at work at once, and all that were seen
 * connected at once, for those may all come to work; where its own are not known well enough, twice the most of all
 * roles at work; else all that are allowed.
 * @param most max_connections that it is reckoned with.
 */
export function sessionsOf(context: RuleContext, most: number, role: string): ReckonedSessions {
  const row = context.snapshot.instance?.roles.find(({ name }) => name === role);
  // A superuser is let in whatever its limit is (InitializeSessionUserId() of miscinit.c).
  const limit = row?.is_superuser ? -1 : (row?.connection_limit ?? -1);
  if (limit > 0 && limit < most) {
    const source = `CONNECTION LIMIT ${limit} of the role`;
    return {
      sessions: limit,
      source,
      evidence: [measured(RECKONED, limit, 'sessions', `pg_roles: ${source}`)],
    };
  }
  const seen = context.window?.concurrency;
  if (!seen || seen.samples < ENOUGH_SAMPLES) {
    const source = `max_connections ${most}`;
    const why = `${source}: ${seen?.samples ?? 0} samples of sessions, at least ${ENOUGH_SAMPLES} are wanted for less`;
    return { sessions: most, source, evidence: [measured(RECKONED, most, 'sessions', why)] };
  }
  const own = ownPeak(seen, role);
  return 'unknown' in own
    ? byAllRoles(context, seen, { most, role, unknown: own.unknown })
    : byOwnSessions(context, seen, { most, role, peak: own });
}

/** The role's own peak, or why it is not to be had from these samples. */
function ownPeak({ samples, by_role: byRole }: Concurrency, role: string): RolePeak | { unknown: string } {
  if (byRole === undefined || byRole.samples < samples) {
    return {
      unknown: `${samples - (byRole?.samples ?? 0)} of ${samples} samples are of before sessions were counted by role`,
    };
  }
  const peak = byRole.peaks.find((one) => one.role === role);
  if (!peak || peak.samples < ENOUGH_SAMPLES) {
    return {
      unknown: `${peak?.samples ?? 0} of ${samples} samples met the role itself at work, at least ${ENOUGH_SAMPLES} are wanted`,
    };
  }
  // A sample that was full may have met it, too.
  const { at_work_max = 0, connected_max = 0 } = byRole.left_out ?? {};
  return {
    ...peak,
    at_work_max: Math.max(peak.at_work_max, at_work_max),
    connected_max: Math.max(peak.connected_max, connected_max),
  };
}

function connectedNow({ snapshot }: RuleContext, role: string): number {
  return snapshot.activity.groups
    .filter(({ user, backend_type }) => user === role && backend_type === 'client backend')
    .reduce((sum, group) => sum + group.sessions, 0);
}

interface Asked {
  most: number;
  role: string;
}

function byOwnSessions(
  context: RuleContext,
  { samples }: Concurrency,
  { most, role, peak }: Asked & { peak: RolePeak },
): ReckonedSessions {
  const connected = Math.max(peak.connected_max, connectedNow(context, role));
  const sessions = Math.min(most, Math.max(MARGIN * peak.at_work_max, connected));
  const words = `the more of ${MARGIN} × ${peak.at_work_max} sessions of this role at work and ${connected} connected`;
  const source = `pg_stat_activity, ${samples} samples, ${peak.samples} of which met the role at work`;
  return {
    sessions,
    source: `${words}, the most in ${samples} samples`,
    evidence: [
      computed(RECKONED, sessions, 'sessions', `${words}, at most max_connections ${most}`),
      measured('most sessions of the role at work', peak.at_work_max, 'sessions', source),
      measured('most sessions of the role connected', connected, 'sessions', `${source}, and now`),
    ],
  };
}

function byAllRoles(
  context: RuleContext,
  seen: Concurrency,
  { most, role, unknown }: Asked & { unknown: string },
): ReckonedSessions {
  const busiest = Math.max(connectedNow(context, role), seen.active_max);
  const sessions = Math.min(most, Math.max(1, MARGIN * busiest));
  const source = `${MARGIN} × ${busiest}, the most sessions of all roles at work in ${seen.samples} samples, or of this role now`;
  return {
    sessions,
    source,
    evidence: [
      computed(
        RECKONED,
        sessions,
        'sessions',
        `${source}, at most max_connections ${most}; its own are not known: ${unknown}`,
      ),
      measured(
        'most sessions of all roles at work',
        seen.active_max,
        'sessions',
        `pg_stat_activity, ${seen.samples} samples`,
      ),
    ],
  };
}

/** A value of work_mem as an override has it, bytes; null: none, or not to be read. */
export function workMemBytes(context: RuleContext, value: string | undefined): number | null {
  const row = setting(context, 'work_mem');
  const kilobytes = value !== undefined && row ? parseSetting(value, row) : null;
  return kilobytes === null ? null : kilobytes * 1024;
}

/** Bytes that roles and databases with more work_mem than the server take beyond it, all at once. */
export function roleWorkMemBytes(context: RuleContext, use: MemoryUse): number {
  return context.snapshot.setting_overrides
    .filter(({ name }) => name === 'work_mem')
    .reduce((sum, { role, value }) => {
      const more = (workMemBytes(context, value) ?? 0) - use.work_mem;
      const { sessions } =
        role === null ? { sessions: use.max_connections } : sessionsOf(context, use.max_connections, role);
      // Parallel workers have the settings of who started them.
      return sum + Math.max(0, more) * workMemUses(use) * (sessions + use.parallel_workers);
    }, 0);
}
