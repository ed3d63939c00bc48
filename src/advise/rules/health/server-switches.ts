/** Switches of the server that no production database should have: fsync off, autovacuum off, a restart that is due. */
import type { RecommendationDraft, Rule, SettingRow, Severity } from '../../../domain/index.ts';

const ID = 'health/server-switches';

export const rule: Rule = {
  id: ID,
  area: 'health',
  title: 'A switch of the server endangers data or its care',
  description:
    'fsync or full_page_writes off (a crash may destroy data), autovacuum off, and settings that wait for a restart to come into force.',
  evaluate: ({ snapshot }) => {
    const named = (name: string) => snapshot.settings.find((row) => row.name === name);
    const recommendations: RecommendationDraft[] = [];
    for (const name of ['fsync', 'full_page_writes']) {
      const row = named(name);
      if (row?.setting === 'off') {
        const why = `A crash of the host may leave the database damaged beyond repair while ${name} is off.`;
        recommendations.push(finding(row, `${name} is off`, why, 'critical'));
      }
    }
    const autovacuum = named('autovacuum');
    if (autovacuum?.setting === 'off') {
      const why = 'Dead rows stay, statistics age, and transaction ids run out in the end.';
      recommendations.push(finding(autovacuum, 'autovacuum is off', why, 'high'));
    }
    for (const row of snapshot.settings.filter((item) => item.pending_restart)) {
      const why = `${row.name} was changed in the configuration; the server still runs with ${row.setting}${row.unit ?? ''}.`;
      recommendations.push(finding(row, `${row.name} waits for a restart`, why, 'low'));
    }
    return { recommendations, rejections: [], limits: [] };
  },
};

function finding(row: SettingRow, title: string, rationale: string, severity: Severity): RecommendationDraft {
  return {
    rule: ID,
    change: { kind: 'finding' },
    key: `finding ${row.name} ${row.pending_restart ? 'pending' : row.setting}`,
    title,
    rationale,
    severity,
    evidence_level: 'measured',
    confidence: 1,
    estimate: { cost_before: null, cost_after: null, size_bytes: null, write_overhead: null },
    affects: [],
    evidence: [
      {
        name: row.name,
        value: row.setting,
        unit: row.unit,
        source: `pg_settings (${row.source})`,
        level: 'measured',
        formula: null,
      },
    ],
    risk: {
      locks: 'none',
      restart: row.context === 'postmaster',
      reload: row.context !== 'postmaster',
      notes: [],
    },
  };
}
