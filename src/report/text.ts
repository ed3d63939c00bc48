/** The report in a terminal: what to do first, why, and exactly what would run. */
import type { Recommendation, Rejection, Report } from '../domain/index.ts';
import { amount, bytes, evidenceValue, milliseconds, percent, shorten, wrap } from './format.ts';

export interface TextOptions {
  color: boolean;
  width: number;
}

/** Listed of each kind; the JSON has all. */
const AFFECTED_LISTED = 4;
const EVIDENCE_LISTED = 6;
const REJECTIONS_LISTED = 4;

type Style = (text: string) => string;

function styles(color: boolean): Record<'bold' | 'dim', Style> {
  const style = (code: number): Style => (color ? (text) => `\x1b[${code}m${text}\x1b[0m` : (text) => text);
  return { bold: style(1), dim: style(2) };
}

/** The whole report; ends with a newline. */
export function renderReport(report: Report, options: TextOptions): string {
  const { bold, dim } = styles(options.color);
  const { summary, target, window } = report;
  const lines = [
    bold(`PgLuthier report on ${target.name}`),
    `  PostgreSQL ${target.server_version}, database ${target.database}${target.managed_service ? ` (${target.managed_service})` : ''}`,
    `  ${windowLine(report)}`,
    `  ${summary.statements_analysed} of ${summary.statements_seen} statements analysed, ${percent(summary.analysed_share_of_time)} of ${window.source === 'files' ? 'the workload' : `${milliseconds(summary.database_time_ms)} database time`}`,
  ];
  if (summary.what_if) {
    lines.push(
      `  simulated by a ${summary.what_if.engine} on PostgreSQL ${summary.what_if.server_version}: ${amount(summary.what_if.questions)} plans`,
    );
  }
  if (summary.cost_before !== null && summary.cost_after !== null && summary.cost_before > 0) {
    lines.push(
      `  plan cost of the workload: ${amount(summary.cost_before)} now, ${amount(summary.cost_after)} with all recommended indexes (${percent(1 - summary.cost_after / summary.cost_before)} less)`,
    );
  }
  lines.push('');
  if (report.recommendations.length === 0) lines.push('Nothing to recommend. Why not stands below.', '');
  report.recommendations.forEach((recommendation, position) => {
    lines.push(...recommendationLines(recommendation, position + 1, options, { bold, dim }), '');
  });
  lines.push(...rejectionLines(report.rejections, options.width, bold));
  if (report.limits.length > 0) {
    lines.push(bold('What could not be seen or analysed'));
    for (const limit of report.limits) {
      lines.push(
        ...wrap(
          `${limit.scope}: ${limit.message}${limit.remedy ? ` ${limit.remedy}` : ''}`,
          options.width,
          '  ',
        ),
      );
    }
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function windowLine({ window }: Report): string {
  if (window.source === 'files') return 'workload from files';
  if (window.source === 'window') {
    return `window ${window.from} to ${window.to} (${amount(window.seconds ?? 0)} s)`;
  }
  return `counters since their reset, as of ${window.to ?? 'now'}: a window between two snapshots says more`;
}

function recommendationLines(
  item: Recommendation,
  number: number,
  { width }: TextOptions,
  { bold, dim }: Record<'bold' | 'dim', Style>,
): string[] {
  const lines = [bold(`${number}. [${item.severity}] ${item.title}`)];
  lines.push(
    dim(
      `   ${item.rule} · ${item.evidence_level} · confidence ${percent(item.confidence)}${item.risk.restart ? ' · wants a restart' : ''}`,
    ),
  );
  lines.push(...wrap(item.rationale, width, '   '));
  const { cost_before, cost_after, size_bytes, write_overhead } = item.estimate;
  const estimates = [
    cost_before !== null && cost_after !== null ? `cost ${amount(cost_before)} → ${amount(cost_after)}` : '',
    size_bytes === null ? '' : `disk ${size_bytes > 0 ? '+' : ''}${bytes(size_bytes)}`,
    write_overhead ? `writes +${amount(write_overhead)} cost units` : '',
  ].filter(Boolean);
  if (estimates.length > 0) lines.push(`   ${estimates.join(', ')}`);
  for (const statement of item.statements) lines.push(`     ${statement};`);
  if (item.rollback.length > 0)
    lines.push(dim(`   back: ${item.rollback.map((statement) => `${statement};`).join(' ')}`));
  for (const affected of item.affects.slice(0, AFFECTED_LISTED)) {
    lines.push(
      `   ${amount(affected.cost_before).padStart(12)} → ${amount(affected.cost_after).padEnd(10)} ${percent(affected.share_of_time).padStart(7)} of time, ${amount(affected.calls)} calls: ${shorten(affected.query, width - 62)}`,
    );
  }
  if (item.affects.length > AFFECTED_LISTED)
    lines.push(`   … and ${item.affects.length - AFFECTED_LISTED} more statements`);
  for (const evidence of item.evidence.slice(0, EVIDENCE_LISTED)) {
    const formula = evidence.formula ? ` = ${evidence.formula}` : '';
    lines.push(
      dim(
        `   - ${shorten(`${evidence.name}: ${evidenceValue(evidence.value, evidence.unit)}${formula} [${evidence.level}, ${evidence.source}]`, width - 5)}`,
      ),
    );
  }
  return lines;
}

function rejectionLines(rejections: Rejection[], width: number, bold: Style): string[] {
  if (rejections.length === 0) return [];
  const groups = new Map<string, Rejection[]>();
  for (const rejection of rejections)
    groups.set(rejection.code, [...(groups.get(rejection.code) ?? []), rejection]);
  const lines = [bold('Considered and not recommended')];
  for (const [code, items] of groups) {
    lines.push(`  ${code.replaceAll('_', ' ')} (${items.length})`);
    for (const item of items.slice(0, REJECTIONS_LISTED)) {
      lines.push(`    ${shorten(`${item.candidate}: ${item.reason}`, width - 5)}`);
    }
    if (items.length > REJECTIONS_LISTED)
      lines.push(`    … and ${items.length - REJECTIONS_LISTED} more (--json has all)`);
  }
  return [...lines, ''];
}
