/** What a one-off VACUUM looks like as a recommendation. */
import {
  type Evidence,
  quoteQualified,
  type RecommendationDraft,
  type Severity,
  type TableRow,
} from '../../domain/index.ts';

interface VacuumReason {
  rule: string;
  freeze: boolean;
  analyze: boolean;
  title: string;
  rationale: string;
  severity: Severity;
  confidence: number;
  evidence: Evidence[];
  notes: string[];
}

export function vacuumDraft(table: TableRow, reason: VacuumReason): RecommendationDraft {
  const { rule, freeze, analyze, notes, ...rest } = reason;
  const { schema, name } = table;
  return {
    rule,
    change: { kind: 'vacuum', schema, table: name, freeze, analyze },
    key: `vacuum ${schema}.${name}${freeze ? ' freeze' : ''}`,
    ...rest,
    evidence_level: 'measured',
    estimate: { cost_before: null, cost_after: null, size_bytes: null, write_overhead: null },
    affects: [],
    risk: {
      locks:
        'ShareUpdateExclusive while it runs: reads and writes go on; DDL, other vacuums and index builds of the table wait. At its end it may take AccessExclusive for a moment to give empty pages at the end back, if nobody is in the way.',
      restart: false,
      reload: false,
      notes: [
        `A VACUUM that is asked for is not throttled unless vacuum_cost_delay is set for its role or session: for less load run it by hand at a quiet hour, SET vacuum_cost_delay = '2ms'; VACUUM${freeze ? ' (FREEZE)' : ''} ${quoteQualified(schema, name)};`,
        'It can be cancelled at any time; what it has done stays done.',
        ...notes,
      ],
    },
  };
}
