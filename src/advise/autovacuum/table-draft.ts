/** What a recommendation about a table's autovacuum parameters looks like. */
import type { Evidence, RecommendationDraft, Severity, TableRow } from '../../domain/index.ts';

export interface OptionsReason {
  rule: string;
  /** Which of the table's triggers it is about: part of the recommendation's identity. */
  topic: 'autovacuum_vacuum' | 'autovacuum_vacuum_insert';
  set: Record<string, string>;
  title: string;
  rationale: string;
  severity: Severity;
  confidence: number;
  evidence: Evidence[];
  notes: string[];
}

/** The draft, with what each parameter was before. */
export function optionsDraft(table: TableRow, reason: OptionsReason): RecommendationDraft {
  const { rule, topic, set, title, rationale, severity, confidence, evidence, notes } = reason;
  return {
    rule,
    change: {
      kind: 'table.reloptions',
      schema: table.schema,
      table: table.name,
      set,
      previous: Object.fromEntries(Object.keys(set).map((name) => [name, table.reloptions[name] ?? null])),
    },
    key: `table.reloptions ${table.schema}.${table.name} ${topic}`,
    title,
    rationale,
    severity,
    evidence_level: 'measured',
    confidence,
    estimate: { cost_before: null, cost_after: null, size_bytes: null, write_overhead: null },
    affects: [],
    evidence,
    risk: {
      locks:
        'ShareUpdateExclusive on the table for a moment: reads and writes go on; it waits for a vacuum or DDL of the table.',
      restart: false,
      reload: false,
      notes,
    },
  };
}

/** Numbers for people. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Runs a day as a person says it. */
export function runs(perDay: number): string {
  return perDay >= 10 ? count(perDay) : String(Number(perDay.toPrecision(2)));
}
