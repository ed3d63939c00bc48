/** work_mem for the roles whose statements spill, and what that may take beside everything else. */
import type { Evidence, RuleContext } from '../../domain/index.ts';
import { memoryBaseline } from './baseline.ts';
import { budgetBytes, workMemUses, worstCaseBytes } from './memory-budget.ts';
import { type MemoryPlan, roomBeside, together } from './present-memory.ts';
import { sessionsOf, workMemBytes } from './role-sessions.ts';
import { mostNeeded, type SpillNeed, type SpillPlans } from './spill-memory.ts';
import { type RoleSpill, spillsByRole } from './spills.ts';
import { GB, roundMemory } from './units.ts';

/** Roles whose spills take less of the time are no reason for anything. */
const LEAST_SHARE_OF_TIME = 0.005;
const MOST = 1 * GB;

export interface RoleWorkMem {
  role: string;
  spill: RoleSpill;
  /** Bytes that its sessions have now. */
  present: number;
  /** The role's own setting, in all databases or in `database`; null: none. */
  previous: string | null;
  /** The role has a value in this database, which goes before its own: that is the one to change. Null: it has none. */
  database: string | null;
  /** What its statements need for not to spill, bytes, and how that was worked out. */
  needed: number;
  needed_formula: string;
  /** What is proposed: at most what the budget leaves, bytes. */
  value: number;
  /** Sessions of the role that are reckoned with, and why so many. */
  sessions: number;
  sessions_source: string;
  sessions_evidence: Evidence[];
  /** Worst case of everything before and after, bytes. */
  worst_before: number;
  worst_after: number;
  /** Worst case of everything else, each setting at what it is or what is proposed, whichever is more, bytes. */
  beside: number;
  /** What it takes beside everything else that is proposed, bytes. */
  taken: number;
}

/** One a role that spills; value ≤ present: nothing can be given. */
function roleWorkMem(context: RuleContext, plan: MemoryPlan, plans: SpillPlans): RoleWorkMem[] {
  const { spilling } = spillsByRole(context);
  let taken = 0;
  return spilling
    .filter(({ share_of_time }) => share_of_time >= LEAST_SHARE_OF_TIME)
    .map((spill) => {
      const one = ofRole(context, plan, { spill, plans }, taken);
      // What one role is given, the next one does not have.
      taken += one.taken;
      return one;
    });
}

function ofRole(
  context: RuleContext,
  plan: MemoryPlan,
  { spill, plans }: { spill: RoleSpill; plans: SpillPlans },
  taken: number,
): RoleWorkMem {
  const { role, statements } = spill;
  const overrides = context.snapshot.setting_overrides.filter((item) => item.name === 'work_mem');
  const inDatabase = overrides.find((item) => item.role === role && item.database !== null);
  const own = inDatabase ?? overrides.find((item) => item.role === role && item.database === null);
  const ofDatabase = overrides.find((item) => item.role === null && item.database !== null);
  const present = workMemBytes(context, own?.value ?? ofDatabase?.value) ?? plan.present.work_mem;
  const { bytes: needed, formula }: SpillNeed = mostNeeded(statements, plans, {
    major: plan.input.major,
    work_mem: present,
    hash_mem_multiplier: plan.present.hash_mem_multiplier ?? 1,
  });
  const { sessions, source, evidence } = sessionsOf(context, plan.present.max_connections, role);
  // Parallel workers have the settings of who started them.
  const portions = workMemUses(plan.present) * (sessions + plan.present.parallel_workers);
  // What the role has beyond the server is in it.
  const worst_before = worstCaseBytes(plan.present) + taken;
  // Whatever else is proposed may be applied as well.
  const beside = together(context, plan);
  const all = workMemUses(plan.present) * (sessions + beside.parallel_workers);
  const rest = worstCaseBytes(beside) + taken;
  const room = present + (budgetBytes(plan.ram_bytes) - rest) / all;
  const value = Math.min(needed, MOST, room > 0 ? roundMemory(room) : 0);
  return {
    role,
    spill,
    present,
    previous: own?.value ?? null,
    database: inDatabase?.database ?? null,
    needed,
    needed_formula: formula,
    value,
    sessions,
    sessions_source: source,
    sessions_evidence: evidence,
    worst_before,
    beside: rest,
    taken: all * Math.max(0, value - present),
    worst_after: worst_before + portions * Math.max(0, value - present),
  };
}

export interface WorkMemByRole {
  /** All roles that spill, each with what it may be given. */
  roles: RoleWorkMem[];
  /** Those that are given more; the server's own value is then left alone. Empty: it is the place, or nothing is. */
  given: RoleWorkMem[];
  /** Single roles are the place at all. */
  instead: boolean;
}

/**
 * Roles in place of the server: where other roles spill nothing, or where each that spills can be given more than the
 * server as a whole.
 */
export function workMemByRole(context: RuleContext, plan: MemoryPlan, plans: SpillPlans): WorkMemByRole {
  const { others } = spillsByRole(context);
  const roles = roleWorkMem(context, plan, plans);
  const server = Math.min(plan.values.work_mem.value, Math.max(0, roomBeside(context, plan, 'work_mem')));
  const instead =
    others.length > 0 || roles.every(({ value, needed }) => value > Math.min(needed, roundMemory(server)));
  return { roles, given: instead ? roles.filter(isWorthIt) : [], instead };
}

/** Less than what the spill needs, and less than twice what there is: the same files again, a little smaller. */
const LEAST_FACTOR = 2;

export function isWorthIt({ value, needed, present }: RoleWorkMem): boolean {
  return value > present && (value >= needed || value >= LEAST_FACTOR * present);
}

export interface RoleGain {
  role: string;
  /** Sessions that it is reckoned with then, and why so many. */
  sessions: number;
  sessions_source: string;
  /** Bytes that the budget leaves each of its sorts with the connections that there are, and with fewer. */
  now: number;
  with_fewer: number;
  /** What its statements need for not to spill, bytes. */
  needed: number;
}

/**
 * Roles whose spills the budget holds down for connections that could be fewer: with `connections` they would be given
 * what they need, or at least twice as much as now.
 */
export function rolesGivenMore(
  context: RuleContext,
  plan: MemoryPlan,
  plans: SpillPlans,
  connections: number,
): RoleGain[] {
  const input = { ...plan.input, connections };
  const fewer: MemoryPlan = {
    ...plan,
    input,
    present: { ...plan.present, max_connections: connections },
    values: memoryBaseline(input).values,
  };
  const then = new Map(workMemByRole(context, fewer, plans).given.map((one) => [one.role, one]));
  return workMemByRole(context, plan, plans).roles.flatMap(({ role, needed, present, value }) => {
    const now = Math.max(present, value);
    const given = then.get(role);
    const more = given?.value ?? 0;
    const gains = now < needed && more > now && (more >= needed || more >= LEAST_FACTOR * now);
    if (!given || !gains) return [];
    const { sessions, sessions_source } = given;
    return [{ role, now, with_fewer: more, needed, sessions, sessions_source }];
  });
}
