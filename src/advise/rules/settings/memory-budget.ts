/** The whole set of memory settings against the memory that there is. */
import type { Rule } from '../../../domain/index.ts';
import { memoryBaseline } from '../../settings/baseline.ts';
import { computed, isLimit, limited, measured, rejected } from '../../settings/facts.ts';
import {
  budgetBytes,
  WORST_CASE_FORMULA,
  worstCaseBytes,
  worstCaseInputs,
} from '../../settings/memory-budget.ts';
import { type MemoryPlan, memoryPlan } from '../../settings/present-memory.ts';
import { aboutMemory, formatMemory, roundMemory } from '../../settings/units.ts';

const ID = 'settings/memory-budget';

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'The memory settings allow more than the host has',
  description:
    'Fires where the worst case of the set as it is exceeds RAM: every connection and parallel worker with three sorts ' +
    `of work_mem, every autovacuum worker busy, one index build. ${WORST_CASE_FORMULA}.`,
  evaluate: (context) => {
    const plan = memoryPlan(context);
    if (isLimit(plan)) return limited(plan);
    const worst = worstCaseBytes(plan.present);
    if (worst <= plan.ram_bytes) {
      const reason = `the worst case of the set (${aboutMemory(worst)}) fits into the host's ${aboutMemory(plan.ram_bytes)}`;
      return rejected({ rule: ID, candidate: 'memory settings as a set', code: 'fits', reason });
    }
    const backends = context.snapshot.counters.database?.numbackends ?? null;
    const { connections, ...rest } = plan.input;
    const ample = memoryBaseline(rest).values;
    const fewer = ample.max_connections.value < (connections ?? 0) ? ample : null;
    const factor = worst / plan.ram_bytes;
    const lighter = waysOut(plan, fewer);
    return {
      recommendations: [
        {
          rule: ID,
          change: { kind: 'finding' },
          key: 'finding memory budget',
          title: `The memory settings allow ${factor.toFixed(1)} times the host's memory`,
          rationale:
            `In the worst case the server asks for ${formatMemory(roundMemory(worst))} of ${aboutMemory(plan.ram_bytes)}, and the kernel ends it. ` +
            `It takes all ${plan.present.max_connections} connections at work at once: ${lighter} takes the risk away.`,
          severity: factor > 2 ? 'medium' : 'low',
          evidence_level: 'estimated',
          confidence: 0.6,
          estimate: { cost_before: null, cost_after: null, size_bytes: null, write_overhead: null },
          affects: [],
          evidence: [
            ...plan.inputs,
            {
              name: 'worst-case memory now',
              value: worst,
              unit: 'bytes',
              source: 'pg_settings',
              level: 'estimated',
              formula: worstCaseInputs(plan.present),
            },
            {
              name: 'memory that the set may take',
              value: budgetBytes(plan.ram_bytes),
              unit: 'bytes',
              source: 'formula',
              level: 'estimated',
              formula: '90 % of RAM',
            },
            ...(fewer === null
              ? []
              : [
                  computed(
                    'connections that leave room for the rest of the set',
                    fewer.max_connections.value,
                    'connections',
                    fewer.max_connections.formula,
                  ),
                ]),
            ...(backends === null
              ? []
              : [measured('backends of this database now', backends, null, 'pg_stat_database.numbackends')]),
          ],
          risk: {
            locks: 'none',
            restart: true,
            reload: false,
            notes: ['max_connections changes with a restart only.'],
          },
        },
      ],
      rejections: [],
      limits: [],
    };
  },
};

/** What would make the set fit: the server's work_mem only where that is more than a set that fits has. */
function waysOut(plan: MemoryPlan, fewer: MemoryPlan['values'] | null): string {
  const { present, values } = plan;
  const ways = ['a lower max_connections with a pooler in front'];
  if (present.work_mem > values.work_mem.value) {
    const also = fewer ? `, and ${fewer.work_mem.text} with ${fewer.max_connections.text} connections` : '';
    ways.push(`a lower work_mem (a set that fits has ${values.work_mem.text}${also})`);
  }
  if ((present.role_work_mem ?? 0) > 0) {
    ways.push(
      `less of it for the roles and databases with a work_mem of their own, which is ${aboutMemory(present.role_work_mem ?? 0)} of that`,
    );
  }
  return ways.join(', or ');
}
