/** max_parallel_workers_per_gather from the CPUs, and from the plans that it would change. */
import type { Rule } from '../../../domain/index.ts';
import { parallelBaseline } from '../../settings/baseline-parallel.ts';
import { measured, rejected, setting } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';
import { askSettings } from '../../settings/what-if.ts';
import { affectedBy, answerEvidence, noFlipReason } from '../../settings/what-if-evidence.ts';
import { workloadType } from '../../settings/workload-type.ts';

const ID = 'settings/parallel-per-gather';
const NAME = 'max_parallel_workers_per_gather';
/** Statements whose plan must get cheaper by this share, in all. */
const LEAST_GAIN = 0.05;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Large statements may use too few, or too many, CPUs',
  description:
    'Half of the CPUs, at most four (pgtune; without that limit where most of the time goes into long reads), 0 on a single CPU. ' +
    'Raised only where the planner, asked for the top statements with both values, changes plans and they get 5 % cheaper together, ' +
    'and not where as many sessions as CPUs are at work at times (95th percentile). Lowered to 0 on a single CPU only.',
  evaluate: async (context) => {
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    const cpus = context.snapshot.host.cpu_count;
    if (cpus.value === null) return reject('host_unknown', `the host's CPUs are not known (${cpus.source})`);
    const type = workloadType(context);
    const wanted = parallelBaseline(cpus.value, type.type)[NAME];
    const row = setting(context, NAME);
    if (!wanted || !row)
      return reject('setting_not_visible', 'its present value is not visible to this role');
    const present = Number(row.setting);
    if (wanted.value < present && cpus.value > 1) {
      return reject(
        'larger_already',
        `${present} is more than ${wanted.text} already; nothing was seen against it`,
      );
    }
    const active = context.window?.concurrency?.active_p95 ?? null;
    if (wanted.value > present && active !== null && active >= cpus.value) {
      return reject(
        'cpus_taken',
        `${active} sessions are at work at times (95th percentile), as many as there are CPUs: workers would take them from each other`,
      );
    }
    const answer = await askSettings(
      context,
      { settings: { [NAME]: wanted.text } },
      { masked_by: NAME, reprices: false },
    );
    if ('reason' in answer)
      return reject('not_simulated', `whether plans would change could not be asked: ${answer.reason}`);
    if (answer.flips.length === 0) return reject('no_plan_changes', noFlipReason(answer));
    const affects = affectedBy(answer);
    const sum = (read: (item: (typeof affects)[number]) => number) =>
      affects.reduce((total, item) => total + item.calls * read(item), 0);
    const gain = 1 - sum(({ cost_after }) => cost_after) / sum(({ cost_before }) => cost_before);
    if (wanted.value > present && gain < LEAST_GAIN) {
      return reject(
        'no_gain',
        `${affects.length} plan(s) would change and get ${(100 * gain).toFixed(1)} % cheaper together`,
      );
    }
    return propose(context, {
      rule: ID,
      name: NAME,
      value: wanted.value,
      formula: wanted.formula,
      why:
        wanted.value > present
          ? `${affects.length} of the statements of most time would be planned with more workers, ${(100 * gain).toFixed(0)} % cheaper in time though not in work.`
          : 'On a single CPU workers take the time from each other.',
      unless: 'CPUs that other sessions need at the same time would speak against it.',
      severity: 'low',
      confidence: active === null ? 0.45 : 0.6,
      direction: 'either',
      observed: false,
      evidence: [
        measured('CPUs of the host', cpus.value, 'CPUs', cpus.source),
        type.evidence,
        ...(active === null
          ? []
          : [
              measured(
                'sessions at work, 95th percentile',
                active,
                'sessions',
                `pg_stat_activity, ${context.window?.concurrency?.samples} samples`,
              ),
            ]),
        ...answerEvidence(context, answer, `with ${NAME} = ${wanted.text} and as it is`),
      ],
      affects,
      notes: [
        'Each worker may use as much work_mem as the session itself; max_parallel_workers limits all of them.',
      ],
    });
  },
};
