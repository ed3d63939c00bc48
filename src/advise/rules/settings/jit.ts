/** jit and jit_above_cost, from what compiling really took. */
import type { Evidence, Rule, RuleContext, RuleResult } from '../../../domain/index.ts';
import { computed, limited, measured, rejected, setting, settingNotVisible } from '../../settings/facts.ts';
import { type JitUse, jitUses } from '../../settings/jit-use.ts';
import { propose } from '../../settings/propose.ts';
import { askSettings } from '../../settings/what-if.ts';

const ID = 'settings/jit';
/** Compiling that takes less of the workload's time is not worth a change. */
const LEAST_SHARE = 0.01;
/** A statement that compiles for more of its time loses by it: pages that it reads do not get faster. */
const WASTED = 0.25;
/** One that compiles for less has next to nothing to win without. */
const WORTH_IT = 0.1;
const LISTED = 3;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Statements compile for longer than it is worth',
  description:
    'Where compiling took at least 1 % of the workload’s time (pg_stat_statements’ JIT times, 15 and newer), by whom: of statements ' +
    'that compile for a quarter of their time and more, and of those for which it is less than a tenth. Where the planner’s costs of ' +
    'the two sorts lie apart, jit_above_cost between them (PostgreSQL compiles plans above it); else jit = off where the first sort ' +
    'takes more time. On 14, which does not count it, quiet.',
  evaluate: async (context) => {
    const row = setting(context, 'jit');
    if (!row) return limited(settingNotVisible('jit'));
    if (row.setting === 'off') return no('as_wanted', 'it is off already');
    const uses = jitUses(context);
    if (uses === null)
      return no('no_evidence', 'this version of pg_stat_statements does not count compiling');
    const time = context.workload.database_time_ms;
    const spent = uses.reduce((sum, { jit_ms }) => sum + jit_ms, 0);
    if (time <= 0 || spent / time < LEAST_SHARE) {
      return no(
        'compiles_little',
        `compiling took ${spent.toFixed(0)} ms, ${time > 0 ? ((100 * spent) / time).toFixed(2) : '0'} % of the time in statements`,
      );
    }
    const losing = uses.filter(({ jit_ms, total_ms }) => jit_ms >= WASTED * total_ms);
    const winning = uses.filter(({ jit_ms, total_ms }) => jit_ms < WORTH_IT * total_ms);
    if (losing.length === 0) {
      return no('worth_it', `no statement compiles for ${100 * WASTED} % of its time and more`);
    }
    return (
      (await threshold(context, losing, winning, spent / time)) ?? off(context, losing, winning, spent / time)
    );
  },
};

const no = (code: string, reason: string) => rejected({ rule: ID, candidate: 'jit', code, reason });

/** Where costs tell the two sorts apart: a limit between them. Null: they do not, or nobody could be asked. */
async function threshold(
  context: RuleContext,
  losing: readonly JitUse[],
  winning: readonly JitUse[],
  share: number,
): Promise<RuleResult | null> {
  if (winning.length === 0) return null;
  const answer = await askSettings(context, {}, { reprices: false });
  if ('reason' in answer) return null;
  const costs = new Map(answer.costs.map(({ statement, before }) => [statement.query.query_id, before]));
  const of = (uses: readonly JitUse[]) => uses.flatMap(({ query }) => costs.get(query.query_id) ?? []);
  const [lost, won] = [of(losing), of(winning)];
  if (lost.length < losing.length || won.length === 0) return null;
  const [most, least] = [Math.max(...lost), Math.min(...won)];
  if (most * 1.5 >= least) return null;
  const limit = Number(Math.sqrt(most * least).toPrecision(2));
  if (limit <= most || limit >= least) return null;
  return propose(context, {
    rule: ID,
    name: 'jit_above_cost',
    value: limit,
    formula: `between the dearest plan that loses, ${Math.round(most)}, and the cheapest that wins, ${Math.round(least)}: √(a × b), two digits`,
    ...words(losing, share),
    unless: 'Statements that gain by it, and whose plans are cheaper than this, would speak for a lower one.',
    confidence: 0.65,
    direction: 'either',
    observed: true,
    evidence: [
      ...evidence(losing, share),
      simulated(context, 'dearest plan of those that lose', most),
      simulated(context, 'cheapest plan of those that win', least),
    ],
  });
}

function off(
  context: RuleContext,
  losing: readonly JitUse[],
  winning: readonly JitUse[],
  share: number,
): RuleResult {
  const time = (uses: readonly JitUse[]) => uses.reduce((sum, { total_ms }) => sum + total_ms, 0);
  if (time(winning) > time(losing)) {
    return no(
      'mixed',
      `${losing.length} statement(s) lose by it, but ${winning.length} with more time hardly do, and costs do not tell them apart: ALTER ROLE … SET jit = off for who sends the first`,
    );
  }
  return propose(context, {
    rule: ID,
    name: 'jit',
    value: 'off',
    formula: 'compiling ≥ 25 % of the time of the statements that do it most',
    ...words(losing, share),
    unless: 'Long statements that compute much on few rows gain by it: SET jit = on suits those.',
    confidence: 0.75,
    direction: 'either',
    observed: true,
    evidence: evidence(losing, share),
  });
}

function words(losing: readonly JitUse[], share: number) {
  return {
    why: `Compiling took ${(100 * share).toFixed(1)} % of the time in statements; ${losing.length} statement(s) compile for a quarter of their own time and more. The planner’s cost alone decides who compiles, and estimates are often too high.`,
    severity: share >= 0.1 ? ('medium' as const) : ('low' as const),
  };
}

function evidence(losing: readonly JitUse[], share: number): Evidence[] {
  return [
    computed(
      'share of the time that compiling took',
      share,
      'share',
      'Σ JIT times ÷ Σ total_exec_time (pg_stat_statements)',
    ),
    ...losing
      .slice(0, LISTED)
      .map(({ query, jit_ms, total_ms }) =>
        measured(
          `share of its time that ${query.query_id} compiles`,
          jit_ms / total_ms,
          'share',
          `pg_stat_statements: ${jit_ms.toFixed(0)} ms of ${total_ms.toFixed(0)} ms`,
        ),
      ),
  ];
}

function simulated({ what_if: whatIf }: RuleContext, name: string, value: number): Evidence {
  return {
    name,
    value,
    unit: 'cost',
    source: `${whatIf?.engine} EXPLAIN`,
    level: 'simulated',
    formula: null,
  };
}
