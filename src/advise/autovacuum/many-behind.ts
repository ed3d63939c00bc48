/** Whether autovacuum comes too late for so many tables that the server's setting is what is wrong, not theirs. */
import type { RuleContext } from '../../domain/index.ts';
import { churnOf } from './churn.ts';
import { DEAD_ROW_OPTIONS, judgeDeadTrigger, MINIMUM_FACTOR } from './dead-trigger.ts';
import { rowsOf } from './options.ts';

/** Smaller tables are vacuumed in a moment, whenever that is; and fewer changes are no rate. */
export const MINIMUM_ROWS = 50_000;
export const MINIMUM_CHANGES = 500;
/** Of the changing tables without triggers of their own: from this share on, and not of a handful. */
const MANY_SHARE = 0.25;
const LEAST_TABLES = 10;

export interface ManyBehind {
  /** The middle one of the wanted triggers, as a share of the rows. */
  scale_factor: number;
  behind: number;
  judged: number;
  names: string[];
}

/** All rules of an analysis are given the same context. */
const known = new WeakMap<RuleContext, ManyBehind | null>();

/** Null: single tables are what is to be looked at. */
export function manyBehind(context: RuleContext): ManyBehind | null {
  const cached = known.get(context);
  if (cached !== undefined) return cached;
  const made = judgeAll(context);
  known.set(context, made);
  return made;
}

function judgeAll(context: RuleContext): ManyBehind | null {
  let judgedTables = 0;
  const behind: { name: string; share: number }[] = [];
  for (const table of context.snapshot.tables) {
    const own = DEAD_ROW_OPTIONS.some((name) => table.reloptions[name] !== undefined);
    if (own || !['r', 'm'].includes(table.relkind) || rowsOf(table) < MINIMUM_ROWS) continue;
    const churn = churnOf(table, context);
    if (churn === null || churn.left < MINIMUM_CHANGES) continue;
    const judged = judgeDeadTrigger(table, churn, context);
    if ('code' in judged || judged.explained) continue;
    judgedTables += 1;
    if (judged.present.rows >= MINIMUM_FACTOR * judged.wanted.rows) {
      behind.push({ name: `${table.schema}.${table.name}`, share: judged.wanted.rows / rowsOf(table) });
    }
  }
  if (judgedTables < LEAST_TABLES || behind.length < MANY_SHARE * judgedTables) return null;
  const shares = behind.map(({ share }) => share).sort((a, b) => a - b);
  return {
    scale_factor: Number((shares[Math.floor((shares.length - 1) / 2)] ?? 0).toPrecision(1)),
    behind: behind.length,
    judged: judgedTables,
    names: behind.map(({ name }) => name),
  };
}
