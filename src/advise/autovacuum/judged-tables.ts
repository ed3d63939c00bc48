/** Goes over the tables of a snapshot for a rule: who has no known rate, who is advised, and partitions alike in one. */
import {
  type Limit,
  quoteQualified,
  type Rejection,
  type RuleContext,
  type RuleResult,
  type TableRow,
} from '../../domain/index.ts';
import { type Churn, churnOf } from './churn.ts';
import { type Advised, joinFamilies } from './families.ts';
import { horizonLimits } from './horizon.ts';

type Judged = Advised['draft'] | { code: string; reason: string } | null;

interface Judge {
  rule: string;
  /** Does the rule look at this table at all? */
  concerns: (table: TableRow) => boolean;
  /** A draft, the reason against one, or null where there is nothing to say. */
  judge: (table: TableRow, churn: Churn) => Judged;
  /** The advice depends on what can be seen of the xmin horizon. */
  by_horizon: boolean;
}

export function judgeTables(context: RuleContext, { rule, concerns, judge, by_horizon }: Judge): RuleResult {
  const advised: Advised[] = [];
  const rejections: Rejection[] = [];
  let unknownRate = false;
  for (const table of context.snapshot.tables) {
    if (!concerns(table)) continue;
    const churn = churnOf(table, context);
    if (churn === null) {
      unknownRate = true;
      continue;
    }
    const judged = judge(table, churn);
    if (judged === null) continue;
    if ('change' in judged) advised.push({ table, draft: judged });
    else {
      const candidate = `${table.schema}.${table.name}`;
      rejections.push({ rule, candidate, table: quoteQualified(table.schema, table.name), ...judged });
    }
  }
  return {
    recommendations: joinFamilies(advised, context.snapshot),
    rejections,
    limits: [
      ...(unknownRate ? [rateUnknown(rule)] : []),
      ...(by_horizon && advised.length > 0 ? horizonLimits(context.snapshot, rule) : []),
    ],
  };
}

function rateUnknown(scope: string): Limit {
  return {
    scope,
    code: 'rate_unknown',
    message: 'How long tables have been counting is not known, so neither is how fast they change.',
    remedy: 'Take a second snapshot: the window between two gives the rate.',
  };
}

const SHORT_WINDOW_SECONDS = 3600;

/** How sure a rate is, and in words what would make it surer; '' where nothing would. */
export function sureness(churn: Churn): { sure: boolean; caveat: string } {
  if (churn.from === 'cumulative') {
    return {
      sure: false,
      caveat:
        ' The rate is a mean over all the time that was counted: a window between two snapshots says more.',
    };
  }
  return churn.seconds < SHORT_WINDOW_SECONDS
    ? {
        sure: false,
        caveat: ` The rate was seen for ${Math.round(churn.seconds)} s only: a longer window makes it surer.`,
      }
    : { sure: true, caveat: '' };
}
