/** shared_buffers from the host's memory, the size of the database and what buffers really serve. */
import type { Rule, RuleContext, RuleResult } from '../../../domain/index.ts';
import { evictionsOf, MOST_BUFFERS_OF_RAM, POOR_HIT_RATIO } from '../../settings/buffers-share.ts';
import { isLimit, limited, measured, rejected } from '../../settings/facts.ts';
import { worstCaseBytes } from '../../settings/memory-budget.ts';
import { hitRatio } from '../../settings/observed.ts';
import { type MemoryPlan, memoryPlan, roomBeside, worstCaseEvidence } from '../../settings/present-memory.ts';
import { type Proposal, propose } from '../../settings/propose.ts';
import { aboutMemory, formatMemory, roundMemory } from '../../settings/units.ts';

const ID = 'settings/shared-buffers';
const NAME = 'shared_buffers';
/** Above this share of blocks found in buffers, more of them would be of no use. */
const GOOD_HIT_RATIO = 0.99;
/** Room for growth above the database's present size. */
const GROWTH = 1.25;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'shared_buffers does not fit the host',
  description:
    'A quarter of RAM (a fifth below 1 GB), within the memory budget of the whole set, never far more than the ' +
    'database is large. Counts as observed where fewer than 95 % of the blocks asked for were found in buffers; where that is so ' +
    'with a quarter of RAM already, and sessions evict pages (pg_stat_io, 16 and newer), two fifths of RAM within the budget; quiet ' +
    'where 99 % are, or where the database fits already. More than 40 % of RAM is questioned when the worst case of ' +
    'the set exceeds RAM. Formula: PostgreSQL documentation 19.4.1 and pgtune.',
  evaluate: (context) => {
    const plan = memoryPlan(context);
    if (isLimit(plan)) return limited(plan);
    const present = plan.present.shared_buffers;
    if (present > MOST_BUFFERS_OF_RAM * plan.ram_bytes && worstCaseBytes(plan.present) > plan.ram_bytes) {
      return propose(context, {
        ...proposalOf(context, plan, plan.values.shared_buffers.value),
        ...tooLarge(plan),
      });
    }
    return raise(context, plan);
  },
};

function raise(context: RuleContext, plan: MemoryPlan): RuleResult {
  const present = plan.present.shared_buffers;
  const size = context.snapshot.server.database_size_bytes;
  const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
  if (size !== null && present >= size) {
    return reject(
      'database_fits',
      `${formatMemory(present)} holds the whole database (${aboutMemory(size)}) already`,
    );
  }
  const hits = hitRatio(context);
  if (hits !== null && hits.ratio >= GOOD_HIT_RATIO && present < plan.values.shared_buffers.value) {
    return reject(
      'cache_hits_suffice',
      `${(100 * hits.ratio).toFixed(1)} % of ${hits.blocks} blocks were found in ${formatMemory(present)} (${hits.period}): more would not be noticed`,
    );
  }
  const formula = plan.values.shared_buffers.value;
  if (present >= formula) return propose(context, proposalOf(context, plan, formula));
  const room = roomBeside(context, plan, NAME);
  const useful = size === null ? Number.POSITIVE_INFINITY : Math.max(size * GROWTH, 128 * 2 ** 20);
  const wanted = Math.min(formula, useful, Math.max(room, 0));
  if (wanted < present) {
    return reject(
      'memory_budget',
      `the budget of the whole set leaves no room for more than ${formatMemory(present)}`,
    );
  }
  return propose(context, proposalOf(context, plan, roundMemory(wanted)));
}

function proposalOf(context: RuleContext, plan: MemoryPlan, value: number): Proposal {
  const hits = hitRatio(context);
  const size = context.snapshot.server.database_size_bytes;
  const observed = hits !== null && hits.ratio < POOR_HIT_RATIO;
  const evicted = evictionsOf(context);
  return {
    rule: ID,
    name: NAME,
    value,
    formula: `${plan.values.shared_buffers.formula}${size === null ? '' : `, at most 1.25 × the database's ${aboutMemory(size)}`}`,
    why: observed
      ? `Only ${(100 * hits.ratio).toFixed(1)} % of the blocks asked for were found in buffers (${hits.period})${plan.input.buffers_share === undefined ? '' : ', which are a quarter of RAM already: sessions put each other’s pages out'}.`
      : `A quarter of the host's ${formatMemory(plan.ram_bytes)} is where PostgreSQL's documentation starts from.`,
    unless:
      'A hit ratio of 99 % or more, or other heavy users of memory on this host, would speak against it.',
    severity: observed ? 'medium' : 'low',
    confidence: observed ? 0.75 : 0.5,
    direction: 'raise',
    observed,
    evidence: [
      ...plan.inputs,
      ...(size === null ? [] : [measured('size of this database', size, 'bytes', 'pg_database_size')]),
      ...(hits === null
        ? []
        : [
            measured(
              'blocks found in buffers',
              hits.ratio,
              'share',
              `pg_stat_database, ${hits.blocks} blocks ${hits.period}`,
            ),
          ]),
      ...(evicted === null ? [] : [evicted.evidence]),
      ...worstCaseEvidence(context, plan, NAME, value),
    ],
    notes: ['Other databases of this server share these buffers; their sizes are not seen from here.'],
  };
}

function tooLarge(plan: MemoryPlan): Partial<Proposal> {
  const share = plan.present.shared_buffers / plan.ram_bytes;
  return {
    why: `It takes ${(100 * share).toFixed(0)} % of the host's ${formatMemory(plan.ram_bytes)}, and with everything else in use the server needs more than there is: the kernel would end it.`,
    unless: 'Fewer connections or a smaller work_mem would make room for it instead.',
    severity: share > 0.75 ? 'high' : 'medium',
    confidence: 0.7,
    direction: 'lower',
    observed: true,
  };
}
