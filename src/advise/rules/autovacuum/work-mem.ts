/** autovacuum_work_mem: so that a vacuum reads each index once. */
import type { Rule, RuleContext } from '../../../domain/index.ts';
import { churnOf } from '../../autovacuum/churn.ts';
import { indexPasses } from '../../autovacuum/index-passes.ts';
import { deadRowTrigger } from '../../autovacuum/trigger.ts';
import { computed, isLimit, rejected } from '../../settings/facts.ts';
import { memoryPlan, roomBeside, worstCaseEvidence } from '../../settings/present-memory.ts';
import { propose } from '../../settings/propose.ts';
import { formatMemory, GB, MB, roundMemory } from '../../settings/units.ts';

const ID = 'autovacuum/work-mem';
const NAME = 'autovacuum_work_mem';
/** Up to 16: bytes of a dead row's identifier, and the most that is used for them (vacuumlazy.c). */
const TID_BYTES = 6;
const MOST_UNTIL_16 = 1 * GB;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'A vacuum reads the indexes more than once for want of memory',
  description:
    'Identifiers of dead rows are kept in autovacuum_work_mem (maintenance_work_mem where that is −1); when it is full ' +
    'all indexes are read, and again for the rest. Up to 16 a row takes 6 bytes, and 1 GB is the most that is used: fires ' +
    "where a changing table's trigger needs more, or where a vacuum was seen at its second pass. From 17 on they are kept " +
    'compressed, and only a second pass that was seen counts. Then it is raised so many times as passes would be needed for ' +
    'the whole table at the pace seen. Never beyond what memory allows with ' +
    'all workers at it.',
  evaluate: (context) => {
    const memory = memoryPlan(context);
    if (isLimit(memory)) return { recommendations: [], rejections: [], limits: [memory] };
    const present = memory.present.autovacuum_work_mem;
    const seen = indexPasses(context, true);
    const before17 = context.snapshot.server.server_version_num < 170000;
    const largest = before17 ? largestTrigger(context) : null;
    const needed = Math.max(
      seen === null ? 0 : Math.min(before17 ? MOST_UNTIL_16 : Number.POSITIVE_INFINITY, seen.times * present),
      largest === null ? 0 : Math.min(MOST_UNTIL_16, largest.rows * TID_BYTES),
    );
    if (needed <= present) {
      return rejected({
        rule: ID,
        candidate: NAME,
        code: 'one_pass',
        reason: `${formatMemory(present)} hold the identifiers of all dead rows of a vacuum, as far as was seen`,
      });
    }
    const room = roomBeside(context, memory, NAME);
    const value = Math.min(Math.ceil(needed / MB) * MB, room > 0 ? roundMemory(room) : 0);
    if (value <= present) {
      return rejected({
        rule: ID,
        candidate: NAME,
        code: 'no_memory',
        reason: `${formatMemory(needed)} are needed, and no more than ${formatMemory(present)} fits with ${memory.present.autovacuum_max_workers} workers at it`,
      });
    }
    return propose(context, {
      rule: ID,
      name: NAME,
      value,
      formula:
        seen !== null
          ? `${seen.times} × ${formatMemory(present)}, by its passes and the part of the table that was scanned, within memory`
          : `${TID_BYTES} bytes × ${Math.round(largest?.rows ?? 0)} rows of the largest trigger, at most 1GB, within memory`,
      why:
        seen !== null
          ? 'A vacuum was seen reading its indexes for the second time: what it found dead did not fit.'
          : `A vacuum of ${largest?.name} finds more dead rows than fit: it reads all indexes of the table several times.`,
      unless: 'An earlier trigger for that table makes for fewer dead rows at a time.',
      severity: 'medium',
      confidence: seen !== null ? 0.8 : 0.6,
      direction: 'raise',
      observed: seen !== null,
      evidence: [
        ...(seen?.evidence ?? []),
        ...(largest === null
          ? []
          : [computed(`dead rows at the trigger of ${largest.name}`, largest.rows, 'rows', largest.formula)]),
        ...worstCaseEvidence(context, memory, NAME, value),
      ],
      notes: ['Each autovacuum worker may take as much.'],
    });
  },
};

/** The largest number of dead rows that a changing table's vacuum is asked for. */
function largestTrigger(context: RuleContext): { name: string; rows: number; formula: string } | null {
  const triggers = context.snapshot.tables.flatMap((table) => {
    if (table.relkind !== 'r' || table.indexes_bytes === 0) return [];
    const churn = churnOf(table, context);
    const trigger = deadRowTrigger(table, context.snapshot);
    if (churn === null || churn.left === 0 || trigger === null) return [];
    // A trigger that fills in more than a month tells nothing of today's memory.
    if (trigger.rows > churn.dead_per_hour * 24 * 30) return [];
    return [{ name: `${table.schema}.${table.name}`, rows: trigger.rows, formula: trigger.formula }];
  });
  return triggers.sort((a, b) => b.rows - a.rows)[0] ?? null;
}
