/** The pools that parallel workers come from, by the CPUs. */
import type { Evidence, Rule, RuleContext, RuleResult } from '../../../domain/index.ts';
import { percent } from '../../health/words.ts';
import { parallelBaseline } from '../../settings/baseline-parallel.ts';
import { isLimit, measured, rejected, setting } from '../../settings/facts.ts';
import { worstCaseBytes } from '../../settings/memory-budget.ts';
import { type MemoryPlan, memoryPlan, worstCaseOf } from '../../settings/present-memory.ts';
import { propose } from '../../settings/propose.ts';
import { formatMemory } from '../../settings/units.ts';
import { workerShortage } from '../../settings/worker-shortage.ts';
import { workloadType } from '../../settings/workload-type.ts';

const ID = 'settings/parallel-workers';
/** Of max_worker_processes, of which those for parallel queries are a part. */
const DEFAULT_WORKERS = 8;
const POOLS = ['max_worker_processes', 'max_parallel_workers', 'max_parallel_maintenance_workers'] as const;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'There are more CPUs than parallel workers',
  description:
    'max_worker_processes and max_parallel_workers: one a CPU where there are more than eight, PostgreSQL’s default, below which ' +
    'nothing is lowered (replication and extensions live off the same pool); max_parallel_maintenance_workers: half of the CPUs, at ' +
    'most four. Counts as observed where fewer than nine tenths of at least 100 workers that plans wanted could start (18 and newer). ' +
    'Only ever raises, and only within the memory budget, in which every worker counts as a session. Formula: pgtune.',
  evaluate: (context) => {
    const cpus = context.snapshot.host.cpu_count;
    const whole: RuleResult = { recommendations: [], rejections: [], limits: [] };
    if (cpus.value === null) {
      return rejected({
        rule: ID,
        candidate: 'max_parallel_workers',
        code: 'host_unknown',
        reason: `the host's CPUs are not known (${cpus.source}): give --cpu, or "cpu_count" in the target's "host"`,
      });
    }
    const memory = memoryPlan(context);
    const evidence = [measured('CPUs of the host', cpus.value, 'CPUs', cpus.source)];
    for (const name of POOLS) {
      const result = one(context, name, cpus.value, isLimit(memory) ? null : memory, evidence);
      whole.recommendations.push(...result.recommendations);
      whole.rejections.push(...result.rejections);
      whole.limits.push(...result.limits);
    }
    return whole;
  },
};

function one(
  context: RuleContext,
  name: (typeof POOLS)[number],
  cpus: number,
  memory: MemoryPlan | null,
  evidence: readonly Evidence[],
): RuleResult {
  const wanted = parallelBaseline(cpus, workloadType(context).type)[name];
  if (!wanted) throw new Error(`no ${name}`);
  const counts = name !== 'max_parallel_maintenance_workers';
  const shortage = counts ? workerShortage(context) : null;
  const present = Number(setting(context, name)?.setting);
  if (shortage && name === 'max_parallel_workers' && present >= wanted.value) {
    return rejected({
      rule: ID,
      candidate: name,
      code: 'cpus_taken',
      reason: `only ${percent(shortage.share_started)} of the workers that plans wanted could start, but ${present} may run on ${cpus} CPUs: more would wait for a CPU; fewer a statement (max_parallel_workers_per_gather) would share them out`,
    });
  }
  const after = memory && counts ? { ...memory.present, parallel_workers: wanted.value } : null;
  if (memory && after && wanted.value > Math.max(memory.parallel_workers, DEFAULT_WORKERS)) {
    return rejected({
      rule: ID,
      candidate: name,
      code: 'memory_budget',
      reason: `with ${wanted.text} workers the worst case (${formatMemory(worstCaseBytes(after))}), and whatever else is proposed, does not fit into ${formatMemory(memory.ram_bytes)}`,
    });
  }
  return propose(context, {
    rule: ID,
    name,
    value: wanted.value,
    formula: wanted.formula,
    why: counts
      ? `${cpus} CPUs are more than the workers that may run at all${shortage ? `: only ${percent(shortage.share_started)} of those that plans wanted could start, and statements ran with fewer` : ''}.`
      : 'CREATE INDEX and VACUUM may use more CPUs than they do.',
    unless: 'CPUs that are busy with sessions leave nothing to workers.',
    severity: shortage ? 'low' : 'info',
    confidence: shortage ? 0.65 : 0.5,
    direction: 'raise',
    observed: shortage !== null,
    evidence: [
      ...evidence,
      ...(shortage?.evidence ?? []),
      ...(memory && after ? worstCaseOf(memory, after) : []),
    ],
    notes:
      name === 'max_parallel_workers'
        ? ['No more run than max_worker_processes allows: that one wants a restart.']
        : name === 'max_parallel_maintenance_workers'
          ? ['Workers of one index build share maintenance_work_mem.']
          : [],
  });
}
