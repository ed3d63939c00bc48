/** work_mem for the roles whose statements spill, and what that may take beside everything else. */
import type { RuleContext, SettingOverride } from '../../domain/index.ts';
import { setting } from './facts.ts';
import { budgetBytes, workMemUses, worstCaseBytes } from './memory-budget.ts';
import type { MemoryPlan } from './present-memory.ts';
import { MEMORY_PER_SPILLED_BYTE, type RoleSpill, spillsByRole } from './spills.ts';
import { GB, MB, parseSetting, roundMemory } from './units.ts';

/** Roles whose spills take less of the time are no reason for anything. */
const LEAST_SHARE_OF_TIME = 0.005;
const MOST = 1 * GB;
/** Sessions of a role are counted at moments: that many times what was seen are reckoned with. */
const SESSIONS_MARGIN = 2;

export interface RoleWorkMem {
  role: string;
  spill: RoleSpill;
  /** Bytes that its sessions have now. */
  present: number;
  /** The role's own setting, in all databases; null: none. */
  previous: string | null;
  /** A value for this role in this database, which goes before what ALTER ROLE … SET says; absent: none. */
  masked_by?: SettingOverride;
  /** Twice the largest spill of a call, bytes. */
  needed: number;
  /** What is proposed: at most what the budget leaves, bytes. */
  value: number;
  /** Sessions of the role that are reckoned with, and why so many. */
  sessions: number;
  sessions_source: string;
  /** Worst case of everything before and after, bytes. */
  worst_before: number;
  worst_after: number;
}

/** One a role that spills; value ≤ present: nothing can be given. */
export function roleWorkMem(context: RuleContext, plan: MemoryPlan): RoleWorkMem[] {
  const { spilling } = spillsByRole(context);
  let taken = 0;
  return spilling
    .filter(({ share_of_time }) => share_of_time >= LEAST_SHARE_OF_TIME)
    .map((spill) => {
      const one = ofRole(context, plan, spill, taken);
      // What one role is given, the next one does not have.
      taken += Math.max(0, one.worst_after - one.worst_before);
      return one;
    });
}

function ofRole(context: RuleContext, plan: MemoryPlan, spill: RoleSpill, taken: number): RoleWorkMem {
  const { role, statements } = spill;
  const overrides = context.snapshot.setting_overrides.filter((item) => item.name === 'work_mem');
  const own = overrides.find((item) => item.role === role && item.database === null);
  const masked_by = overrides.find((item) => item.role === role && item.database !== null);
  const ofDatabase = overrides.find((item) => item.role === null && item.database !== null);
  const present = bytesOf(context, own?.value ?? ofDatabase?.value) ?? plan.present.work_mem;
  const largest = statements[0]?.bytes_per_call ?? 0;
  const needed = Math.ceil((largest * MEMORY_PER_SPILLED_BYTE) / MB) * MB;
  const { sessions, source } = sessionsOf(context, plan, role);
  // Parallel workers have the settings of who started them.
  const portions = workMemUses(plan.present) * (sessions + plan.present.parallel_workers);
  const worst_before =
    worstCaseBytes(plan.present) + taken + portions * Math.max(0, present - plan.present.work_mem);
  const room = present + (budgetBytes(plan.ram_bytes) - worst_before) / portions;
  const value = Math.min(needed, MOST, room > 0 ? roundMemory(room) : 0);
  return {
    role,
    spill,
    present,
    previous: own?.value ?? null,
    ...(masked_by ? { masked_by } : {}),
    needed,
    value,
    sessions,
    sessions_source: source,
    worst_before,
    worst_after: worst_before + portions * Math.max(0, value - present),
  };
}

function bytesOf(context: RuleContext, value: string | undefined): number | null {
  const row = setting(context, 'work_mem');
  const kilobytes = value !== undefined && row ? parseSetting(value, row) : null;
  return kilobytes === null ? null : kilobytes * 1024;
}

function sessionsOf(
  context: RuleContext,
  plan: MemoryPlan,
  role: string,
): { sessions: number; source: string } {
  const limit = context.snapshot.instance?.roles.find(({ name }) => name === role)?.connection_limit ?? -1;
  const all = plan.present.max_connections;
  if (limit > 0 && limit < all) return { sessions: limit, source: `CONNECTION LIMIT ${limit} of the role` };
  const seen = context.window?.concurrency;
  if (!seen || seen.samples < 10) return { sessions: all, source: `max_connections ${all}` };
  const now = context.snapshot.activity.groups
    .filter(({ user, backend_type }) => user === role && backend_type === 'client backend')
    .reduce((sum, group) => sum + group.sessions, 0);
  const most = Math.max(now, seen.active_max);
  const sessions = Math.min(all, Math.max(1, SESSIONS_MARGIN * most));
  return {
    sessions,
    source: `${SESSIONS_MARGIN} × ${most}, the most sessions of all roles at work in ${seen.samples} samples, or of this role now`,
  };
}

/**
 * The roles for which ALTER ROLE answers all that spills: some, not all, of those that send statements, each of which
 * can be given what it needs. Empty: the server's own value is the place.
 */
export function rolesThatSuffice(context: RuleContext, plan: MemoryPlan): RoleWorkMem[] {
  const { others, spilling } = spillsByRole(context);
  const roles = roleWorkMem(context, plan);
  const known = roles.length > 0 && roles.length === spilling.length;
  return known && others.length > 0 && roles.every(suffices) ? roles : [];
}

const suffices = ({ value, needed, present }: RoleWorkMem) => value >= needed && value > present;
