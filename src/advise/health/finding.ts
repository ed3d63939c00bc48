/** What a finding looks like: something to know, or to do by hand, with what was seen of it. */
import type { Evidence, RecommendationDraft, SettingRow, Severity } from '../../domain/index.ts';
import { showValue } from '../settings/units.ts';

export interface Finding {
  rule: string;
  /** Stable, without numbers that drift: the recommendation's identity. */
  key: string;
  title: string;
  rationale: string;
  severity: Severity;
  evidence: Evidence[];
  restart: boolean;
  /** Whether what is to be done wants a reload; absent: it does, unless it wants a restart. */
  reload?: boolean;
  /** measured unless given. */
  level?: Evidence['level'];
  /** 0..1; 1 unless given: what was seen is so. */
  confidence?: number;
  /** What to do about it, and what to mind. */
  notes: string[];
}

/** Where a health check is explained: with its remedy in each of its findings. */
export function pageNotes(rule: string): string[] {
  const [area, name] = rule.split('/');
  return area === 'health' ? [`About this check: docs/health/${name}.md`] : [];
}

export function findingDraft(finding: Finding): RecommendationDraft {
  const { rule, key, title, rationale, severity, evidence, restart, notes } = finding;
  return {
    rule,
    change: { kind: 'finding' },
    key,
    title,
    rationale,
    severity,
    evidence_level: finding.level ?? 'measured',
    confidence: finding.confidence ?? 1,
    estimate: { cost_before: null, cost_after: null, size_bytes: null, write_overhead: null },
    affects: [],
    evidence,
    risk: {
      locks: 'none',
      restart,
      reload: finding.reload ?? !restart,
      notes: [...notes, ...pageNotes(rule)],
    },
  };
}

/** A setting as it stands, with where its value comes from. */
export function settingEvidence(row: SettingRow): Evidence {
  return {
    name: row.name,
    value: showValue(row),
    unit: null,
    source: `pg_settings: ${row.source}${row.sourcefile ? `, ${row.sourcefile}` : ''}`,
    level: 'measured',
    formula: null,
  };
}
