/** The report as a file of SQL that runs as it stands: nothing in it may be in a transaction. */
import type { Report } from '../domain/index.ts';

const comment = (text: string) =>
  text
    .split('\n')
    .map((line) => `-- ${line}`)
    .join('\n');

/** Statements in the report's order, each with its reason and its way back as comments. */
export function renderReportSql(report: Report): string {
  const parts = [
    comment(
      `PgLuthier ${report.summary.generated_at}: ${report.target.database}, PostgreSQL ${report.target.server_version}\n` +
        'Run with autocommit: CONCURRENTLY and ALTER SYSTEM do not run inside a transaction.',
    ),
  ];
  for (const item of report.recommendations.filter((one) => one.statements.length > 0)) {
    parts.push(
      [
        comment(`[${item.severity}] ${item.title} (${item.rule}, ${item.evidence_level})\n${item.rationale}`),
        ...item.statements.map((statement) => `${statement};`),
        ...item.rollback.map((statement) => comment(`back: ${statement};`)),
      ].join('\n'),
    );
  }
  return `${parts.join('\n\n')}\n`;
}
