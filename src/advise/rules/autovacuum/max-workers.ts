/** autovacuum_max_workers: more of them only where they wait for each other and not for the cost limit. */
import type { Rule } from '../../../domain/index.ts';
import { pageBudget } from '../../autovacuum/page-budget.ts';
import { busyForNothing, queueEvidence, queueSeen } from '../../autovacuum/queue.ts';
import { computed, isLimit, rejected, setting } from '../../settings/facts.ts';
import { roomFor } from '../../settings/memory-budget.ts';
import { memoryPlan, together, worstCaseOf } from '../../settings/present-memory.ts';
import { propose } from '../../settings/propose.ts';
import { formatMemory } from '../../settings/units.ts';

const ID = 'autovacuum/max-workers';
const NAME = 'autovacuum_max_workers';
/** Rounds of the replay at which a table was due and no worker free. */
const STARVED_SHARE = 0.1;
/** Above this share of what the cost limit allows, it is the limit that they wait for. */
const LIMITED_SHARE = 0.5;
/** Workers for each processor at most. */
const WORKERS_A_CPU = 0.5;
const LEAST = 3;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'Tables wait for an autovacuum worker',
  description:
    'Workers share one cost limit: where that is what they wait for, more of them only slow each other. Fires where in ' +
    'the replay of all tables a table was due and no worker free at more than a tenth of the rounds, or all workers were ' +
    'busy at the snapshot while the replay has them busy for more than half of the time or tables waited for the whole of ' +
    'a window, and a day needs less than half of the cost limit. Quiet while something holds the xmin horizon. Proposes ' +
    'twice as many, at most one for two processors (3 at least), autovacuum_worker_slots on 18, and what memory allows ' +
    'with each of them at its full autovacuum_work_mem.',
  evaluate: (context) => {
    const budget = pageBudget(context);
    if (budget === null) return { recommendations: [], rejections: [], limits: [] };
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    const { server, outcome, share } = budget;
    const queue = queueSeen(context);
    const allBusy = queue.all_busy && (outcome.busy_share > 0.5 || queue.waited.length > 0);
    if (outcome.starved_share <= STARVED_SHARE && !allBusy) {
      return reject(
        'workers_enough',
        `tables wait for a worker at ${(100 * outcome.starved_share).toFixed(1)} % of the rounds`,
      );
    }
    const explained = busyForNothing(context);
    if (explained) return reject(explained.code, explained.reason);
    if (share > LIMITED_SHARE) {
      return reject(
        'cost_limit_first',
        'they wait for the cost limit that they share: more of them would each be slower',
      );
    }
    const cpus = context.snapshot.host.cpu_count.value;
    if (cpus === null) {
      return reject('cpus_unknown', 'how many processors the host has is not known');
    }
    const slots = Number(setting(context, 'autovacuum_worker_slots')?.setting ?? Number.POSITIVE_INFINITY);
    const value = Math.min(2 * server.workers, Math.max(LEAST, Math.floor(cpus * WORKERS_A_CPU)), slots);
    if (value <= server.workers) {
      return reject(
        'processors_taken',
        `${server.workers} workers are what ${cpus} processors bear${slots <= server.workers ? ' and autovacuum_worker_slots allows' : ''}`,
      );
    }
    const memory = memoryPlan(context);
    if (isLimit(memory)) return { recommendations: [], rejections: [], limits: [memory] };
    const room = roomFor(
      'autovacuum_work_mem',
      { ...together(context, memory), autovacuum_max_workers: value },
      memory.ram_bytes,
    );
    if (room < memory.present.autovacuum_work_mem) {
      return reject(
        'no_memory',
        `${value} workers with ${formatMemory(memory.present.autovacuum_work_mem)} each do not fit into the host's memory: lower autovacuum_work_mem first`,
      );
    }
    return propose(context, {
      rule: ID,
      name: NAME,
      value,
      formula: `min(2 × ${server.workers}, max(3, ${cpus} processors / 2)${Number.isFinite(slots) ? `, autovacuum_worker_slots ${slots}` : ''})`,
      why: 'Tables are due and find no worker free, while the cost limit would let more be done.',
      unless:
        'Large indexes keep a worker for long whatever their number: then a vacuum of its own at a quiet hour serves better.',
      severity: 'medium',
      confidence: 0.55,
      direction: 'raise',
      observed: allBusy,
      evidence: [
        ...queueEvidence(queue, context),
        computed(
          'rounds with a table due and no worker free',
          outcome.starved_share,
          'share',
          `replay of ${budget.tables} tables`,
        ),
        computed('share of the workers’ time at work', outcome.busy_share, 'share', 'replay'),
        computed('share of the cost limit that a day needs', share, 'share', 'replay'),
        computed(
          'autovacuum_work_mem that fits',
          room,
          'bytes',
          `90 % of ${formatMemory(memory.ram_bytes)} less all else, / ${value} workers`,
        ),
        ...worstCaseOf(memory, { ...memory.present, autovacuum_max_workers: value }),
      ],
    });
  },
};
