/** default_statistics_target, and the targets of single columns, from what plans depend on. */
import {
  type ColumnRow,
  PgLuthierError,
  quoteIdentifier,
  quoteQualified,
  type RecommendationDraft,
  type Rejection,
  type Rule,
  type RuleContext,
  type RuleResult,
} from '../../../domain/index.ts';
import { computed, limited, measured, rejected, setting, settingNotVisible } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';
import { sumOf } from '../../settings/setting-draft.ts';
import { type CutColumn, cutColumns, usersOf } from '../../settings/statistics-columns.ts';
import { askSettings, type SettingsAnswer } from '../../settings/what-if.ts';
import { answerEvidence, flipEvidence, noFlipReason, nothingFlips } from '../../settings/what-if-evidence.ts';

const ID = 'settings/statistics-target';
const NAME = 'default_statistics_target';
const USUAL = 100;
/** Statements on a column must take so much of the time for it to be looked at. */
const LEAST_SHARE_OF_TIME = 0.01;
/** Columns that are asked about. */
const MOST_COLUMNS = 10;
const MOST_LOWERED = 60;
const MOST_TARGET = 1000;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Statistics are cut off, or finer than any plan needs',
  description:
    'A planner cannot be shown statistics that nobody has read, so what is asked is whether plans depend on their detail at all. A column ' +
    'whose list of common values is full while the rarest kept is three times as common as the average of the rest: if with a quarter ' +
    'of its statistics a plan of the top statements changes, a finding to raise its own target five times (at most 1000). A server-wide ' +
    'target above 100: back to 100 where with the statistics that this would leave no plan of the top statements changes, for ANALYZE ' +
    'and planning take longer by it. Raising it for everything is never proposed.',
  evaluate: async (context) => {
    const row = setting(context, NAME);
    if (!row) return limited(settingNotVisible(NAME));
    if (context.what_if?.lowerStatisticsTarget === undefined) {
      return rejected({
        rule: ID,
        candidate: NAME,
        code: 'not_simulated',
        reason: 'there was no planner to ask',
      });
    }
    const whole: RuleResult = await columns(context);
    const server =
      Number(row.setting) > USUAL
        ? await lowerServer(context, Number(row.setting))
        : rejected({
            rule: ID,
            candidate: NAME,
            code: 'columns_suffice',
            reason: `${row.setting} is left alone: columns that need more get their own target`,
          });
    return {
      recommendations: [...whole.recommendations, ...server.recommendations],
      rejections: [...whole.rejections, ...server.rejections],
      limits: [...whole.limits, ...server.limits],
    };
  },
};

type Answer = SettingsAnswer | { reason: string };

/** The plans with these columns' statistics cut to a target. */
async function askLowered(context: RuleContext, cut: readonly ColumnRow[], target: number): Promise<Answer> {
  const handles: string[] = [];
  try {
    for (const { schema, table, name } of cut) {
      const handle = await context.what_if?.lowerStatisticsTarget?.({ schema, table, column: name }, target);
      if (handle !== undefined) handles.push(handle);
    }
  } catch (error) {
    if (!(error instanceof PgLuthierError)) throw error;
    return { reason: error.message };
  }
  return askSettings(context, { statistics: handles }, { reprices: false });
}

async function columns(context: RuleContext): Promise<RuleResult> {
  const recommendations: RecommendationDraft[] = [];
  const rejections: Rejection[] = [];
  const worth = (await cutColumns(context)).filter(
    ({ share_of_time }) => share_of_time >= LEAST_SHARE_OF_TIME,
  );
  for (const cut of worth.slice(0, MOST_COLUMNS)) {
    const { column, target } = cut;
    const answer = await askLowered(context, [column], Math.max(1, Math.floor(target / 4)));
    const candidate = `statistics target of ${column.schema}.${column.table}.${column.name}`;
    const reject = (code: string, reason: string) => rejections.push({ rule: ID, candidate, code, reason });
    if ('reason' in answer) reject('not_simulated', answer.reason);
    else if (answer.flips.length === 0) {
      reject(
        'not_sensitive',
        `its common values are cut off, but no plan depends on them: with a quarter of its statistics ${noFlipReason(answer)}`,
      );
    } else recommendations.push(columnDraft(context, cut, answer));
  }
  return { recommendations, rejections, limits: [] };
}

function columnDraft(context: RuleContext, cut: CutColumn, answer: SettingsAnswer): RecommendationDraft {
  const { column, target, rarest_kept, average_left_out } = cut;
  const table = quoteQualified(column.schema, column.table);
  const wanted = Math.min(MOST_TARGET, 5 * target);
  const { flips } = answer;
  return {
    rule: ID,
    change: { kind: 'finding' },
    key: `finding statistics target ${column.schema}.${column.table}.${column.name}`,
    title: `Statistics of ${column.schema}.${column.table}.${column.name} are cut off where plans depend on them`,
    rationale:
      `ANALYZE keeps ${target} common values of it; the rarest kept is ${(rarest_kept / average_left_out).toFixed(0)} times as common as the average of the rest, so values that are left out are common, too, and estimated too low. ` +
      `${flips.length} statement(s) would be planned otherwise with a quarter of them: their plans depend on this detail. A column whose values are even would change this advice.`,
    severity: 'low',
    evidence_level: 'simulated',
    confidence: 0.45,
    estimate: { ...sumOf([]), size_bytes: null, write_overhead: null },
    affects: [],
    evidence: [
      measured(
        'statistics target',
        target,
        'values',
        'pg_attribute.attstattarget, default_statistics_target',
      ),
      measured('share of the rarest value kept', rarest_kept, 'share', 'pg_stats.most_common_freqs'),
      computed(
        'share of a value left out, on average',
        average_left_out,
        'share',
        '(1 − null_frac − Σ most_common_freqs) ÷ (n_distinct − values kept)',
      ),
      ...answerEvidence(
        context,
        answer,
        `with a quarter of the target, ${Math.floor(target / 4)}, and as it is`,
      ),
      ...flipEvidence(context, answer),
    ],
    risk: {
      locks: 'SHARE UPDATE EXCLUSIVE on the table, for a moment; ANALYZE reads 300 × the target rows of it',
      restart: false,
      reload: false,
      notes: [
        `ALTER TABLE ${table} ALTER COLUMN ${quoteIdentifier(column.name)} SET STATISTICS ${wanted}; ANALYZE ${table} (${quoteIdentifier(column.name)});`,
        'What a longer list holds nobody knows before ANALYZE has read it: the plans shown are those of less, not of more.',
        `Way back: ALTER TABLE ${table} ALTER COLUMN ${quoteIdentifier(column.name)} SET STATISTICS ${column.stattarget ?? -1};`,
      ],
    },
  };
}

async function lowerServer(context: RuleContext, present: number): Promise<RuleResult> {
  const used = await usersOf(context);
  const finer = context.snapshot.columns.filter(
    ({ table_oid, name, stattarget, stats }) =>
      used.has(`${table_oid}.${name}`) && (stattarget === null || stattarget < 0) && stats !== null,
  );
  const answer = await askLowered(context, finer.slice(0, MOST_LOWERED), USUAL);
  const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
  if ('reason' in answer) return reject('not_simulated', answer.reason);
  if (finer.length > MOST_LOWERED) {
    return reject('not_simulated', `more than ${MOST_LOWERED} columns would have to be asked about`);
  }
  if (!nothingFlips(answer)) {
    return reject(
      'plans_depend_on_it',
      answer.flips.length > 0
        ? `with ${USUAL} the plans of ${answer.flips.length} statement(s), ${(100 * answer.flipped_share).toFixed(0)} % of the time, would be others`
        : `only ${(100 * answer.share_of_time).toFixed(0)} % of the time could be planned`,
    );
  }
  return propose(context, {
    rule: ID,
    name: NAME,
    value: USUAL,
    formula: "PostgreSQL's default; no plan of the top statements depends on more",
    why: `${noFlipReason(answer)}. ANALYZE reads ${present / USUAL} times as many rows as it needs to, and planning looks through longer lists.`,
    unless: 'Statements that were not seen may depend on it: columns can keep it with SET STATISTICS.',
    severity: 'info',
    confidence: 0.5,
    direction: 'lower',
    observed: true,
    level: 'simulated',
    evidence: answerEvidence(
      context,
      answer,
      `with ${finer.length} column(s) cut to ${USUAL} and as they are`,
    ),
    notes: ['It counts from the next ANALYZE of each table.'],
  });
}
