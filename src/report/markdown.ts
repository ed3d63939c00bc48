/** The report as Markdown, for a ticket or a wiki. */
import type { Report } from '../domain/index.ts';
import { amount, bytes, evidenceValue, percent, shorten } from './format.ts';

/** A cell must not end its row. */
const cell = (text: string) => text.replaceAll('|', '\\|').replace(/\s+/g, ' ');

/** The whole report; ends with a newline. */
export function renderReportMarkdown(report: Report): string {
  const { summary, target } = report;
  const lines = [
    `# PgLuthier report on ${target.name}`,
    '',
    `PostgreSQL ${target.server_version}, database \`${target.database}\`, ${summary.generated_at}. ` +
      `${summary.statements_analysed} of ${summary.statements_seen} statements analysed, ${percent(summary.analysed_share_of_time)} of the database time.`,
    '',
  ];
  report.recommendations.forEach((item, position) => {
    lines.push(`## ${position + 1}. ${item.title}`, '');
    lines.push(
      `${item.severity}, ${item.rule}, ${item.evidence_level}, confidence ${percent(item.confidence)}`,
      '',
    );
    lines.push(item.rationale, '');
    if (item.statements.length > 0)
      lines.push('```sql', ...item.statements.map((text) => `${text};`), '```', '');
    if (item.rollback.length > 0) {
      lines.push('Way back:', '', '```sql', ...item.rollback.map((text) => `${text};`), '```', '');
    }
    if (item.estimate.size_bytes !== null) lines.push(`Disk: ${bytes(item.estimate.size_bytes)}`, '');
    if (item.affects.length > 0) {
      lines.push('| statement | calls | share of time | cost before | cost after |', '|---|--:|--:|--:|--:|');
      for (const affected of item.affects) {
        lines.push(
          `| \`${cell(shorten(affected.query, 120))}\` | ${amount(affected.calls)} | ${percent(affected.share_of_time)} | ${amount(affected.cost_before)} | ${amount(affected.cost_after)} |`,
        );
      }
      lines.push('');
    }
    lines.push('| evidence | value | level | source |', '|---|---|---|---|');
    for (const evidence of item.evidence) {
      lines.push(
        `| ${cell(evidence.name)} | ${cell(evidenceValue(evidence.value, evidence.unit))} | ${evidence.level} | ${cell(evidence.source)} |`,
      );
    }
    lines.push('');
  });
  if (report.rejections.length > 0) {
    lines.push('## Considered and not recommended', '', '| candidate | reason |', '|---|---|');
    for (const item of report.rejections) lines.push(`| ${cell(item.candidate)} | ${cell(item.reason)} |`);
    lines.push('');
  }
  if (report.limits.length > 0) {
    lines.push(
      '## What could not be seen',
      '',
      ...report.limits.map((limit) => `- ${limit.scope}: ${limit.message}`),
      '',
    );
  }
  return `${lines.join('\n').trimEnd()}\n`;
}
