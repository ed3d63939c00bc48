/** max_connections from the sessions that were really there. */
import type { Evidence, Rule } from '../../../domain/index.ts';
import { connectionsStarve, LEAST_CONNECTIONS, memoryBaseline } from '../../settings/baseline.ts';
import { mostConnections, reservedConnections } from '../../settings/bootable.ts';
import { computed, isLimit, limited, measured, rejected } from '../../settings/facts.ts';
import { workMemUses, worstCaseBytes } from '../../settings/memory-budget.ts';
import { type MemoryPlan, memoryPlan, worstCaseOf } from '../../settings/present-memory.ts';
import { propose } from '../../settings/propose.ts';
import { type RoleGain, rolesGivenMore } from '../../settings/role-work-mem.ts';
import { spillPlans } from '../../settings/spill-memory.ts';
import { formatMemory } from '../../settings/units.ts';

const ID = 'settings/max-connections';
const NAME = 'max_connections';
/** Samples a minute apart over a day; fewer miss the busy hour. */
const ENOUGH_SAMPLES = 500;
/** Room above the most that was seen. */
const MARGIN = 1.5;
/** Only where at least so many times what is needed is allowed. */
const FAR_TOO_MANY = 2;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Far more connections are allowed than were ever used',
  description:
    'Fires where the worst case of the memory settings exceeds RAM, or where a set that fits would have to starve shared_buffers (below ' +
    '15 % of RAM) or work_mem (below 4 MB, dw 16 MB) for connections that nobody opens, or where a role that spills could be given what it ' +
    'needs, or twice as much, out of what they leave (settings/work-mem-role, once this is in force); and max_connections is more than twice 1.5 × the most sessions ' +
    'at once in at least 500 samples (a day at one a minute), plus those reserved: then that, in tens. Never below what is in use, ' +
    'never on a standby (it must have its primary’s at least), and never raised: what comes near the limit wants a pooler ' +
    '(settings/pooling, health/connections-near-limit). Left to a person: it wants a restart, and a burst that nobody sampled is refused.',
  evaluate: async (context) => {
    const plan = memoryPlan(context);
    if (isLimit(plan)) return limited(plan);
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    const seen = context.window?.concurrency;
    const most = mostConnections(context);
    if (!seen || seen.samples < ENOUGH_SAMPLES || most === null) {
      return reject(
        'no_evidence',
        `${seen?.samples ?? 0} samples of sessions: at least ${ENOUGH_SAMPLES} are wanted to know the busy hour`,
      );
    }
    const present = plan.present.max_connections;
    const tooMuch = worstCaseBytes(plan.present) > plan.ram_bytes;
    const now = memoryBaseline(plan.input);
    const reserved = reservedConnections(context);
    const needed = Math.max(LEAST_CONNECTIONS, Math.ceil((most * MARGIN + reserved) / 10) * 10);
    const starves = connectionsStarve(plan.input, now.use);
    const spilling =
      tooMuch || starves || needed >= present
        ? []
        : rolesGivenMore(context, plan, await spillPlans(context), needed);
    if (!tooMuch && !starves && spilling.length === 0) {
      return reject(
        'fits',
        `the worst case fits into the memory with ${present}, and starves nothing, no role's spills among it: fewer would gain nothing`,
      );
    }
    if (present < FAR_TOO_MANY * needed) {
      return reject(
        'used',
        `${most} sessions at once were seen; ${needed} with a margin are near the ${present}`,
      );
    }
    const then = memoryBaseline({ ...plan.input, connections: needed });
    const gains = (['shared_buffers', 'work_mem'] as const).map((name) =>
      computed(
        `${name} of a set that fits, with ${needed} connections`,
        then.values[name].value,
        'bytes',
        `${then.values[name].formula}; with ${present} it is ${now.values[name].text}`,
      ),
    );
    const set =
      `A set that fits has ${now.values.shared_buffers.text} shared_buffers and ${now.values.work_mem.text} work_mem with ${present}, ` +
      `${then.values.shared_buffers.text} and ${then.values.work_mem.text} with ${needed} (of ${formatMemory(plan.ram_bytes)}).`;
    return propose(context, {
      rule: ID,
      name: NAME,
      value: needed,
      formula: `${most} sessions × ${MARGIN} + ${reserved} reserved, in tens, at least ${LEAST_CONNECTIONS}`,
      why:
        `No more than ${most} sessions were seen at once, while ${present} are allowed, each of which the budget counts at its worst: ` +
        `${tooMuch ? 'the memory settings allow more than the host has' : starves ? 'that starves the rest of the set' : 'that leaves roles that spill too little'}. ` +
        `${spilling.length > 0 ? spilling.map((gain) => roleWords(gain, present, needed)).join(' ') : set}`,
      unless:
        'A burst, a second application or a deployment that doubles the pools for a while needs more: a pooler in front makes them wait in place of failing.',
      severity: 'medium',
      confidence: 0.55,
      direction: 'lower',
      observed: true,
      evidence: [
        ...plan.inputs,
        measured('most sessions at once', most, 'sessions', `pg_stat_activity, ${seen.samples} samples`),
        measured('sessions at once, 95th percentile', seen.total_p95, 'sessions', `${seen.samples} samples`),
        measured('sessions at work, 95th percentile', seen.active_p95, 'sessions', `${seen.samples} samples`),
        computed(
          'reserved connections',
          reserved,
          'sessions',
          'superuser_reserved_connections + reserved_connections',
        ),
        ...worstCaseOf(plan, { ...plan.present, max_connections: needed }),
        ...(spilling.length > 0 ? spilling.map((gain) => roleGain(gain, plan, needed)) : gains),
      ],
      byHand: 'PgLuthier does not write it: whoever comes beyond it is refused.',
    });
  },
};

function roleWords({ role, now, with_fewer, needed }: RoleGain, present: number, fewer: number): string {
  return `Statements of ${role} spill and want about ${formatMemory(needed)} of work_mem: the budget leaves it ${formatMemory(now)} with ${present} connections, ${formatMemory(with_fewer)} with ${fewer}; settings/work-mem-role proposes that once the server runs so.`;
}

function roleGain(
  { role, now, with_fewer, sessions, sessions_source }: RoleGain,
  { present }: MemoryPlan,
  fewer: number,
): Evidence {
  return computed(
    `work_mem that the budget leaves role ${role}, with ${fewer} connections`,
    with_fewer,
    'bytes',
    `(budget − everything else with ${fewer} connections) ÷ (${workMemUses(present)} × (${sessions} sessions of the role + parallel workers)), sessions: ${sessions_source}; with ${present.max_connections} it is ${formatMemory(now)}`,
  );
}
