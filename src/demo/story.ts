/** The demo's end: what was applied, what it gained, what was rejected and why, as a table that a DBA would believe. */
import Table from 'cli-table3';
import { SHIFT_UNKNOWN } from '../domain/index.ts';
import { rejectionLines } from '../report/index.ts';
import type { DemoApply, DemoResult } from './loop.ts';

const MEASURED_ROWS = 14;

/** The result for a person. */
export function renderDemoResult(result: DemoResult, terminal: { color: boolean; width: number }): string {
  const { report } = result;
  const lines = [
    '',
    `PgLuthier looked at ${report.target.database} (PostgreSQL ${report.target.server_version}) for ${Math.round(report.window.seconds ?? 0)} s: ` +
      `${report.summary.statements_analysed} statements analysed, ${percent(report.summary.analysed_share_of_time)} of the database time.`,
    '',
    'Applied, after approval by plan hash:',
    applied(result.applied, terminal.width),
    ...shiftUnknown(result.applied),
    '',
    'Left to a person:',
    ...report.recommendations
      .filter((item) => !result.applied.some((done) => done.recommendation_id === item.id))
      .map((item) => `  ${item.title} (${item.rule}${item.risk.restart ? ', wants a restart' : ''})`),
    '',
    'Measured by pg_stat_statements, the same workload before and after:',
    measured(result, terminal.width),
    total(result),
    '',
    `Considered and not recommended: ${report.rejections.length} (shares are of the workload's plan cost before; the API has all, with their reasons)`,
    ...rejectionLines(report.rejection_groups, terminal.width),
  ];
  if (report.limits.length > 0) {
    lines.push('', 'What could not be seen:');
    lines.push(...report.limits.map((limit) => `  ${limit.scope}: ${limit.message}`));
  }
  return `${lines.join('\n')}\n`;
}

function applied(items: DemoApply[], width: number): string {
  const table = new Table({
    head: ['change', 'SQL', 'verdict'],
    colWidths: [34, width - 34 - 32 - 4, 32],
    wordWrap: true,
    style: { head: [], border: [] },
  });
  for (const item of items) {
    const verdict = item.verdict
      ? `${item.verdict.verdict}: ${item.verdict.reason.replace(` ${SHIFT_UNKNOWN}`, '')}`
      : [item.state, item.message].filter(Boolean).join(': ');
    table.push([
      item.title,
      item.statements.join('; '),
      item.pending_restart ? `${verdict} (pending restart)` : verdict,
    ]);
  }
  return table.toString();
}

/** Said of each verdict by itself, and here once for all of them. */
function shiftUnknown(items: readonly DemoApply[]): string[] {
  const said = items.filter(({ verdict }) => verdict?.reason.includes(SHIFT_UNKNOWN));
  return said.length === 0 ? [] : [`Of ${said.length} of these verdicts: ${SHIFT_UNKNOWN}`];
}

function measured(result: DemoResult, width: number): string {
  const table = new Table({
    head: ['statement', 'calls', 'mean before', 'mean after', 'change'],
    colWidths: [width - 9 - 14 - 14 - 12 - 6, 9, 14, 14, 12],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    wordWrap: true,
    style: { head: [], border: [] },
  });
  const rows = result.measured
    .toSorted((a, b) => b.total_ms_before - a.total_ms_before)
    .slice(0, MEASURED_ROWS);
  for (const row of rows) {
    table.push([
      shorten(row.query, 2 * (width - 60)),
      row.calls_after,
      milliseconds(row.mean_ms_before),
      milliseconds(row.mean_ms_after),
      change(row.mean_ms_before, row.mean_ms_after),
    ]);
  }
  return table.toString();
}

function total(result: DemoResult): string {
  const before = result.measured.reduce((sum, row) => sum + row.total_ms_before, 0);
  const after = result.measured.reduce((sum, row) => sum + row.total_ms_after, 0);
  return `Database time of these statements: ${milliseconds(before)} before, ${milliseconds(after)} after (${change(before, after)}).`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function milliseconds(value: number): string {
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`;
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(2)} ms`;
}

/** `12x faster`, `8 % slower`: what a person would say. */
function change(before: number, after: number): string {
  if (before === 0 || after === 0) return '';
  if (before >= 2 * after) return `${(before / after).toFixed(before >= 20 * after ? 0 : 1)}x faster`;
  if (after >= 2 * before) return `${(after / before).toFixed(1)}x slower`;
  const percentage = Math.round(100 * (after / before - 1));
  if (percentage === 0) return 'same';
  return percentage < 0 ? `${-percentage} % faster` : `${percentage} % slower`;
}

function shorten(text: string, length: number): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}
