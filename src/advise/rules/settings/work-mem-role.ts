/** work_mem for single roles, from what their statements spilled. */
import type { Evidence, RecommendationDraft, Rule, RuleContext } from '../../../domain/index.ts';
import { computed, isLimit, limited, measured, setting } from '../../settings/facts.ts';
import { budgetBytes, workMemUses } from '../../settings/memory-budget.ts';
import { type MemoryPlan, memoryPlan } from '../../settings/present-memory.ts';
import { NEW_SESSIONS_ONLY } from '../../settings/role-sessions.ts';
import { isWorthIt, type RoleWorkMem, workMemByRole } from '../../settings/role-work-mem.ts';
import { sumOf } from '../../settings/setting-draft.ts';
import { spillPlans } from '../../settings/spill-memory.ts';
import { fileTimeWords } from '../../settings/spills.ts';
import { aboutMemory, bareValue, formatMemory } from '../../settings/units.ts';
import { askSettings } from '../../settings/what-if.ts';
import { affectedBy, answerEvidence } from '../../settings/what-if-evidence.ts';

const ID = 'settings/work-mem-role';
const NAME = 'work_mem';
const LISTED = 3;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Statements of a role sort and hash more than work_mem holds',
  description:
    'ALTER ROLE … SET work_mem for a role whose statements wrote temporary blocks (pg_stat_statements counts by role) and take ' +
    'at least 0.5 % of the time, where other roles spill nothing, or where the server as a whole cannot be given as much. What the ' +
    "spills of a call need by the kind of node that the planner has for them (twice what was written where it is not known), at most 1 GB and what the budget of the whole set leaves for the role's sessions: its CONNECTION LIMIT, " +
    'else the more of twice its own sessions at work and all of its sessions connected, the most in samples ten of which met it at work; else ' +
    'twice the most sessions of all roles at work in ten samples and more, else max_connections. Parallel workers count with it. Quiet where ' +
    'that is neither what the spill needs nor twice the present value: it would spill as well.',
  evaluate: async (context) => {
    const plan = memoryPlan(context);
    if (isLimit(plan)) return limited(plan);
    const recommendations: RecommendationDraft[] = [];
    const rejections = [];
    const { roles, given, instead } = workMemByRole(context, plan, await spillPlans(context));
    for (const one of roles) {
      const refusal = given.includes(one) ? null : refusalOf(one, instead);
      if (refusal === null) recommendations.push(await draftOf(context, plan, one));
      else {
        const key = `setting ${NAME} of role ${one.role}`;
        rejections.push({ rule: ID, candidate: `${NAME} of role ${one.role}`, key, ...refusal });
      }
    }
    return { recommendations, rejections, limits: [] };
  },
};

function refusalOf(one: RoleWorkMem, instead: boolean): { code: string; reason: string } {
  if (one.needed <= one.present) {
    return {
      code: 'large_enough',
      reason: `what its spills need, ${formatMemory(one.needed)} (${one.needed_formula}), is within the ${formatMemory(one.present)} that it has: several sorts in one statement, or spills of before`,
    };
  }
  if (instead ? !isWorthIt(one) : one.value <= one.present) {
    return {
      code: 'memory_budget',
      reason: `about ${formatMemory(one.needed)} would do, but with ${one.sessions} sessions (${one.sessions_source}) the budget leaves ${one.value > one.present ? `no more than ${formatMemory(one.value)}, which would spill as well` : 'nothing'}; a CONNECTION LIMIT for the role would make room`,
    };
  }
  return {
    code: 'no_other_roles',
    reason: 'every role spills: the server’s own value is the place (settings/work-mem)',
  };
}

async function draftOf(
  context: RuleContext,
  plan: MemoryPlan,
  one: RoleWorkMem,
): Promise<RecommendationDraft> {
  const { role, spill, needed } = one;
  const value = formatMemory(one.value);
  const within = one.database === null ? '' : ` in database ${one.database}`;
  const shown = formatMemory(one.present);
  const answer = await askSettings(context, { settings: { [NAME]: value } }, { reprices: false });
  const own =
    'reason' in answer
      ? answer
      : { ...answer, flips: answer.flips.filter(({ statement }) => statement.query.users.includes(role)) };
  const affects = 'reason' in own ? [] : affectedBy(own);
  const largest = spill.statements[0]?.bytes_per_call ?? 0;
  return {
    rule: ID,
    change: {
      ...(one.database === null
        ? { kind: 'role.setting' as const }
        : { kind: 'role.database.setting' as const, database: one.database }),
      role,
      name: NAME,
      value,
      current_value: shown,
      previous: one.previous,
    },
    key: `setting ${NAME} of role ${role}${within}`,
    title: `${NAME} of role ${role}${within}: ${shown} → ${value}`,
    rationale:
      `${spill.statements.length} statement(s) of ${role}, ${(100 * spill.share_of_time).toFixed(1)} % of the time, wrote up to ${aboutMemory(largest)} a call into temporary files. ` +
      `More work_mem for this role alone leaves the others as they are.${one.value < needed ? ` About ${formatMemory(needed)} would be enough; beside what else the formulas give, the budget allows no more for ${one.sessions} sessions.` : ''} ` +
      `Its sessions have ${shown} now (${one.previous === null ? "the server's or the database's value" : 'ALTER ROLE'}). What would change this advice: More sessions of the role than reckoned with, or an index that delivers the order.`,
    severity: spill.share_of_time >= 0.1 ? 'medium' : 'low',
    evidence_level: 'measured',
    confidence: one.value < needed ? 0.55 : 0.75,
    estimate: { ...sumOf(affects), size_bytes: null, write_overhead: null },
    affects,
    setting: {
      name: NAME,
      value,
      bare_value: bareValue(value, 'kB'),
      restart: false,
      role,
      database: one.database,
    },
    evidence: [
      computed(
        'proposed value',
        value,
        null,
        `min(what its spills need, ${formatMemory(needed)}: ${one.needed_formula}; what the budget leaves ${one.sessions} sessions and the parallel workers; 1GB)`,
      ),
      presentValue(context, one, shown),
      ...spill.statements
        .slice(0, LISTED)
        .map(({ query, calls, bytes_per_call, ...files }) =>
          measured(
            `spilled in a call of ${query.query_id} by ${role}`,
            bytes_per_call,
            'bytes',
            `pg_stat_statements.temp_blks_written over ${calls} calls; ${fileTimeWords(files)}`,
          ),
        ),
      ...one.sessions_evidence,
      computed(
        'worst-case memory now',
        one.worst_before,
        'bytes',
        'the whole set as it is, with the role’s own value',
      ),
      computed(
        'worst-case memory after',
        one.worst_after,
        'bytes',
        `worst-case memory now + ${workMemUses(plan.present)} × (${one.sessions} sessions + ${plan.present.parallel_workers} parallel workers) × (${value} − ${shown})`,
      ),
      computed(
        'worst case with what else is proposed',
        one.beside,
        'bytes',
        'each other setting at what it is or what the formulas give it, whichever is more: any of them may be applied first',
      ),
      computed(
        'memory that the set may take',
        budgetBytes(plan.ram_bytes),
        'bytes',
        `90 % of ${formatMemory(plan.ram_bytes)}`,
      ),
      ...answerEvidence(context, own, `with ${NAME} = ${value} and as it is`),
    ],
    risk: {
      locks: 'none',
      restart: false,
      reload: false,
      notes: [
        NEW_SESSIONS_ONLY,
        'Members of the role do not inherit it: it counts for whom the session logged in as.',
        ...(one.database === null
          ? []
          : [
              `The role has a value in the database ${one.database} (ALTER ROLE … IN DATABASE), which goes before its own: it is changed there.`,
            ]),
      ],
    },
  };
}

function presentValue(context: RuleContext, one: RoleWorkMem, shown: string): Evidence {
  const row = setting(context, NAME);
  const source =
    one.previous === null
      ? `pg_settings: ${row?.source ?? '?'}${row?.sourcefile ? `, ${row.sourcefile}` : ''}`
      : 'pg_db_role_setting';
  return measured('present value', shown, null, source);
}
