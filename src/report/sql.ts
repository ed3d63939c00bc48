/** The report as a file of SQL that runs as it stands: nothing in it may be in a transaction. */
import type { Report } from '../domain/index.ts';

/** PostgreSQL ends a comment at a line feed and at a carriage return: a name may hold either. */
const comment = (text: string) =>
  text
    .split(/\r\n|[\n\r]/)
    .map((line) => `-- ${line}`.trimEnd())
    .join('\n');

/** Statements in the report's order, each with its reason and its way back as comments. */
export function renderReportSql(report: Report): string {
  const parts = [
    comment(
      `PgLuthier ${report.summary.generated_at}: ${report.target.database}, PostgreSQL ${report.target.server_version}\n` +
        'Run with autocommit: CONCURRENTLY and ALTER SYSTEM do not run inside a transaction.',
    ),
  ];
  for (const item of report.recommendations) {
    const reason = `[${item.severity}] ${item.title} (${item.rule}, ${item.evidence_level})\n${item.rationale}`;
    const notes = [`locks: ${item.risk.locks}`, ...item.risk.notes].join('\n');
    parts.push(
      item.statements.length === 0
        ? comment(
            [`By hand: ${reason}`, notes, ...(item.by_hand ?? []).map(({ text }) => text.trimEnd())].join(
              '\n',
            ),
          )
        : [
            comment(`${reason}\n${notes}`),
            ...item.statements.map((statement) => `${statement};`),
            ...item.rollback.map((statement) => comment(`back: ${statement};`)),
          ].join('\n'),
    );
  }
  return `${parts.join('\n\n')}\n`;
}
