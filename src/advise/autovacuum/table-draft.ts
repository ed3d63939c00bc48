/** What a recommendation about a table's storage parameters looks like. */
import type { Evidence, RecommendationDraft, Severity, TableRow } from '../../domain/index.ts';

export interface OptionsReason {
  rule: string;
  /** Which of the table's parameters it is about: part of the recommendation's identity. */
  topic: string;
  /** Parameters to set; those that the table has already with this value are left out. */
  set: Record<string, string>;
  /** Parameters to take off the table; those that it has not are left out. */
  reset?: string[];
  title: string;
  rationale: string;
  severity: Severity;
  confidence: number;
  /** Default `measured`: what is wrong now was seen. */
  evidence_level?: 'measured' | 'estimated';
  evidence: Evidence[];
  notes: string[];
}

/** What the table, or with the prefix its TOAST table, has for a parameter; null: not set. */
function optionOf(table: TableRow, name: string): string | null {
  const value = name.startsWith('toast.')
    ? table.toast_reloptions[name.slice('toast.'.length)]
    : table.reloptions[name];
  return value ?? null;
}

/** The table's storage parameters once this is set and that is taken off. */
export function optionsAfter(
  table: TableRow,
  set: Record<string, string>,
  reset: readonly string[] = [],
): Record<string, string> {
  return Object.fromEntries(
    Object.entries({ ...table.reloptions, ...set }).filter(([name]) => !reset.includes(name)),
  );
}

/** The draft, with what each parameter was before. */
export function optionsDraft(table: TableRow, reason: OptionsReason): RecommendationDraft {
  const { rule, topic, title, rationale, severity, confidence, evidence, notes } = reason;
  const set = Object.fromEntries(
    Object.entries(reason.set).filter(([name, value]) => optionOf(table, name) !== value),
  );
  const reset = (reason.reset ?? []).filter((name) => optionOf(table, name) !== null && !(name in set));
  return {
    rule,
    change: {
      kind: 'table.reloptions',
      schema: table.schema,
      table: table.name,
      set,
      ...(reset.length > 0 ? { reset } : {}),
      previous: previousOf(table, [...Object.keys(set), ...reset]),
    },
    key: `table.reloptions ${table.schema}.${table.name} ${topic}`,
    title,
    rationale,
    severity,
    evidence_level: reason.evidence_level ?? 'measured',
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

export function previousOf(table: TableRow, names: readonly string[]): Record<string, string | null> {
  return Object.fromEntries(names.map((name) => [name, optionOf(table, name)]));
}

/** Numbers for people. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Runs a day as a person says it. */
export function runs(perDay: number): string {
  return perDay >= 10 ? count(perDay) : String(Number(perDay.toPrecision(2)));
}
