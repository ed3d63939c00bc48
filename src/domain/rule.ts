/** What a rule is. Rules never fetch: all that they may look at is in their context. */
import type { BtreeDensity } from './bloat.ts';
import type { Limit, RecommendationDraft, Rejection } from './recommendation.ts';
import type { Snapshot } from './snapshot.ts';
import type { StandingAdvice } from './standing.ts';
import type { WhatIf } from './whatif.ts';
import type { Window, Workload } from './workload.ts';

export interface RuleContext {
  snapshot: Snapshot;
  /** Null: only one snapshot so far, so no deltas. */
  window: Window | null;
  workload: Workload;
  /** Null: no planner could be had; rules that need one say so in a limit. */
  what_if: WhatIf | null;
  /** Opens a second planner for a check of what was chosen; it is closed by who opened it. Absent: there is none. */
  cross_check?: () => Promise<WhatIf>;
  /** Bytes that new indexes may take in all; null: no budget. */
  index_budget_bytes: number | null;
  /** Advice of earlier analyses that is open, decided on or at work. Absent: none is known (the command line). */
  standing?: readonly StandingAdvice[];
  /** Share by which no statement may cost more than now because an existing index is replaced; absent: the rule's own. */
  max_regression?: number;
  /** Indexes that a table may have at most, those that exist with them; absent: any number. */
  max_indexes_per_table?: number;
  /** Physical standbys of the target whose counters are known. Absent: none are. */
  replicas?: readonly WatchedReplica[];
  /** The earliest look at the target that is kept. Absent: there is none before the window. */
  earliest?: EarliestLook;
  /** B-trees that were measured because they seemed bloated. Absent: nobody asked for it. */
  btree_density?: readonly BtreeDensity[];
  /** Called with a line for a person while a long rule works. */
  progress: (message: string) => void;
  /** Deadline as epoch ms; a rule that reaches it returns what it has, with a limit. */
  deadline: number;
}

/** A standby as its own newest snapshot shows it: relations have the primary's OIDs there, counters are its own. */
export interface WatchedReplica {
  name: string;
  snapshot: Snapshot;
}

/** What was there at the earliest moment that is kept: PostgreSQL does not say when an index was made. */
export interface EarliestLook {
  taken_at: string;
  index_oids: ReadonlySet<number>;
}

export interface RuleResult {
  recommendations: RecommendationDraft[];
  rejections: Rejection[];
  limits: Limit[];
  /**
   * Its recommendations, by key, that say what others say better: where all of those keys are in the result, it becomes
   * a rejection `said_elsewhere`. Absent: it has none.
   */
  yields?: ReadonlyMap<string, readonly string[]>;
  /** Filled by the rule that costs the workload's statements (index/missing): what the run covered. */
  coverage?: AnalysisCoverage;
}

/** A statement that was not planned: a stable word for the kind of reason, and the reason. */
export interface NotAnalysed {
  query_id: string;
  code: 'no_sample' | 'no_table' | 'refused_by_planner' | 'unreadable';
  reason: string;
}

/** How much of the workload was really costed, and its cost with and without the recommended indexes. */
export interface AnalysisCoverage {
  /** query_id of each statement that was planned. */
  analysed: string[];
  /** Statements that were not, each with its reason. */
  not_analysed: NotAnalysed[];
  /** Σ calls × plan cost of the analysed statements (planner cost units). */
  cost_before: number;
  cost_after: number;
  /**
   * What no set of the candidates that statements asked for can go below: the distance of `cost_after` from it is the
   * optimality gap at most.
   */
  cost_floor: number;
  /** The floor is not proven: some set may go below it, by some per cent where it was looked at. */
  cost_floor_is_estimate: boolean;
  /** Plan costs that followed from plans already shown: questions that the planner was not asked. */
  concluded: number;
}

export const ruleAreas = ['index', 'statistics', 'settings', 'autovacuum', 'health'] as const;
export type RuleArea = (typeof ruleAreas)[number];

/** One advisor's knowledge, in one file under advise/rules/<area>/, which exports it as `rule`. */
export interface Rule {
  /** `<area>/<file name>`, stable: it is in the API, the store and the docs. */
  id: string;
  area: RuleArea;
  title: string;
  /** What it looks at, when it fires, when it stays quiet, and the source of its formula. */
  description: string;
  evaluate(context: RuleContext): RuleResult | Promise<RuleResult>;
}
