/** Storage parameters of autovacuum that do nothing, or harm, as the table and the server are today: to be taken off. */
import type { RecommendationDraft, Rejection, Rule, RuleContext, TableRow } from '../../../domain/index.ts';
import { churnOf } from '../../autovacuum/churn.ts';
import {
  DEAD_ROW_OPTIONS,
  type DeadTrigger,
  judgeDeadTrigger,
  MINIMUM_FACTOR,
  serverServes,
} from '../../autovacuum/dead-trigger.ts';
import { joinFamilies } from '../../autovacuum/families.ts';
import { serverParameter } from '../../autovacuum/options.ts';
import { churnEvidence, type Replay, replay, replayEvidence } from '../../autovacuum/replay.ts';
import { count, optionsAfter, optionsDraft, runs } from '../../autovacuum/table-draft.ts';
import { computed, measured } from '../../settings/facts.ts';

const ID = 'autovacuum/stale-override';
const MINIMUM_CHANGES = 500;
/** Of the dead rows that there are, at the peak or on average, what has to be left at most. */
const NOTICEABLE = 0.9;
/** A trigger so many times earlier than what is wanted vacuums for next to nothing. */
const TOO_EARLY = 4;
/** Pages a day below which nobody minds: 1 GB. */
const HEAVY_PAGES = 131_072;
/** What of a table's own slows its vacuum down: goes with a late trigger where that alone would change nothing. */
const THROTTLES = ['autovacuum_vacuum_cost_delay', 'autovacuum_vacuum_cost_limit'];
/** A limit or delay of its own, whatever its value, takes a table out of the sharing among workers. */
const SAYS_MORE: ReadonlySet<string> = new Set(['autovacuum_enabled', ...THROTTLES]);
/** Settings under other names than the storage parameter that overrides them. */
const SETTING_OF: Record<string, string> = {
  autovacuum_freeze_min_age: 'vacuum_freeze_min_age',
  autovacuum_freeze_table_age: 'vacuum_freeze_table_age',
  autovacuum_multixact_freeze_min_age: 'vacuum_multixact_freeze_min_age',
  autovacuum_multixact_freeze_table_age: 'vacuum_multixact_freeze_table_age',
};

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: "A table's own autovacuum parameters are of no use any more",
  description:
    "Fires where a table's storage parameter says what the server's setting says anyway; where its dead-row trigger is at " +
    "least twice as late as wanted, the server's settings would do and the replay then has a tenth fewer dead rows (with a cost delay or limit of its own, if those keep it from it); and where it comes four times earlier than a " +
    'vacuum is worth its reading (autovacuum/scale-factor has the formula), reading more than 1 GB a day for it: then it is taken off ' +
    "where the server's settings would do, and put right otherwise. The replay of the observed churn is shown for both. Quiet for parameters that do " +
    'their work, and where the churn is not known.',
  evaluate: (context) => {
    const rejections: Rejection[] = [];
    const advised = context.snapshot.tables.flatMap((table) => {
      if (!['r', 'm'].includes(table.relkind) || Object.keys(table.reloptions).length === 0) return [];
      const draft = judge(table, context, (code, reason) =>
        rejections.push({ rule: ID, candidate: `${table.schema}.${table.name}`, code, reason }),
      );
      return draft ? [{ table, draft }] : [];
    });
    return { recommendations: joinFamilies(advised, context.snapshot), rejections, limits: [] };
  },
};

function judge(
  table: TableRow,
  context: RuleContext,
  reject: (code: string, reason: string) => void,
): RecommendationDraft | null {
  const churn = churnOf(table, context);
  const owned = DEAD_ROW_OPTIONS.filter((name) => table.reloptions[name] !== undefined);
  if (churn !== null && churn.left >= MINIMUM_CHANGES && owned.length > 0) {
    const judged = judgeDeadTrigger(table, churn, context);
    if (!('code' in judged)) {
      if (judged.explained) {
        reject(judged.explained.code, judged.explained.reason);
        return null;
      }
      const late = judged.present.rows >= MINIMUM_FACTOR * judged.wanted.rows;
      const early = judged.present.rows * TOO_EARLY <= judged.wanted.rows;
      // Where the server's settings are too late as well, an early one is put right; a late one is another rule's.
      const serves = serverServes(judged);
      const set = serves ? {} : wantedOptions(judged);
      const replayed = replay(table, churn, optionsAfter(table, set, serves ? owned : []), context);
      const heavy =
        replayed !== null &&
        replayed.before.pages_read_a_day >= HEAVY_PAGES &&
        replayed.after.pages_read_a_day * MINIMUM_FACTOR <= replayed.before.pages_read_a_day;
      if (replayed && late && serves && !helps(replayed)) {
        const both = [...owned, ...THROTTLES.filter((name) => table.reloptions[name] !== undefined)];
        const freed = replay(table, churn, optionsAfter(table, {}, both), context);
        if (freed && both.length > owned.length && helps(freed)) {
          return outOfPlace(table, both, set, judged, freed, churnEvidence(churn, table));
        }
        const seconds = count(replayed.before.longest_seconds);
        reject(
          'nothing_gained',
          `without ${both.join(', ')} the replay leaves as many dead rows, within a tenth: a vacuum takes ${seconds} s`,
        );
        return null;
      }
      if (replayed && ((late && serves) || (early && heavy))) {
        return outOfPlace(table, owned, set, judged, replayed, churnEvidence(churn, table));
      }
      if (late) return null;
    }
  }
  return redundant(table, context);
}

/** An earlier trigger that leaves no fewer dead rows is none: vacuum is busy all the time, or waits for a worker. */
const helps = ({ before, after }: Replay) =>
  after.dead_peak <= NOTICEABLE * before.dead_peak || after.dead_mean <= NOTICEABLE * before.dead_mean;

function wantedOptions({ wanted }: DeadTrigger): Record<string, string> {
  return {
    autovacuum_vacuum_scale_factor: String(wanted.scale_factor),
    autovacuum_vacuum_threshold: String(wanted.threshold),
  };
}

/** @param set what is set instead; nothing: the parameters are taken off. */
function outOfPlace(
  table: TableRow,
  owned: readonly string[],
  set: Record<string, string>,
  judged: DeadTrigger,
  replayed: Replay,
  evidence: RecommendationDraft['evidence'],
): RecommendationDraft {
  const { present, wanted, of_server } = judged;
  const { before, after } = replayed;
  const late = present.rows > wanted.rows;
  const off = Object.keys(set).length === 0;
  const after_rows = off ? of_server : wanted.rows;
  return optionsDraft(table, {
    rule: ID,
    topic: 'autovacuum_override',
    set,
    reset: owned.filter((name) => off || !(name in set)),
    title: off
      ? `Take ${owned.join(', ')} off ${table.schema}.${table.name}: it vacuums ${late ? 'too late' : 'for next to nothing'}`
      : `Vacuum ${table.schema}.${table.name} after ${count(wanted.rows)} dead rows, not ${count(present.rows)}: it vacuums for next to nothing`,
    rationale:
      `Its own parameters bring autovacuum after ${count(present.rows)} dead rows; as it changes today ${count(wanted.rows)} are wanted, and the server's settings give ${count(of_server)}. ` +
      `Replayed at this rate it would come about ${runs(after.vacuums_a_day)} times a day instead of ${runs(before.vacuums_a_day)}, with at most ${count(after.dead_peak)} dead rows instead of ${count(before.dead_peak)}, and read ${count(after.pages_read_a_day)} pages a day instead of ${count(before.pages_read_a_day)}.`,
    severity: 'low',
    confidence: 0.6,
    evidence: [
      ...evidence,
      { ...computed('trigger now', present.rows, 'rows', present.formula), source: present.source },
      computed('trigger wanted', wanted.rows, 'rows', wanted.formula),
      computed('trigger after', after_rows, 'rows', off ? "the server's settings" : wanted.formula),
      ...replayEvidence(replayed),
    ],
    notes: [
      'Whoever set them may know of times that the window did not hold, such as a nightly job: ask first.',
    ],
  });
}

function redundant(table: TableRow, { snapshot }: RuleContext): RecommendationDraft | null {
  const same = Object.entries(table.reloptions).flatMap(([name, value]) => {
    if (!/^autovacuum_/.test(name) || SAYS_MORE.has(name)) return [];
    const setting = serverParameter(snapshot, SETTING_OF[name] ?? name);
    return setting !== null && setting.value === Number(value) ? [{ name, value }] : [];
  });
  if (same.length === 0) return null;
  const names = same.map(({ name }) => name);
  return optionsDraft(table, {
    rule: ID,
    topic: 'autovacuum_redundant',
    set: {},
    reset: names,
    title: `Take ${names.join(', ')} off ${table.schema}.${table.name}: the server says the same`,
    rationale:
      "These parameters repeat the server's settings. Today they change nothing; the day the server's settings are changed this table stays behind, and nobody knows why.",
    severity: 'info',
    confidence: 0.9,
    evidence: same.flatMap(({ name, value }) => [
      measured(`${name} of the table`, value, null, 'pg_class.reloptions'),
      measured(`${SETTING_OF[name] ?? name} of the server`, value, null, 'pg_settings'),
    ]),
    notes: ['Keep them if they are there to stay as they are whatever happens to the server.'],
  });
}
