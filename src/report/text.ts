/** The report in a terminal: what to do first, why, and exactly what would run. */
import Table from 'cli-table3';
import { type Report, weightWords } from '../domain/index.ts';
import { amount, milliseconds, percent, shorten, wrap, wrapItem } from './format.ts';
import { BORDERLESS, recommendationLines, type Style, styles } from './recommendation-text.ts';
import { rejectionLines } from './rejection-text.ts';
import { costFacts, notAnalysedFacts, scorecardFacts } from './summary-text.ts';
import { visibleLine } from './terminal-text.ts';

export interface TextOptions {
  /** ANSI bold and dim; off for files and pipes. */
  color: boolean;
  /** Columns; fewer than 80 count as 80. SQL is never cut or wrapped to it. */
  width: number;
}

const LEAST_WIDTH = 80;

/** The whole report; ends with a newline. */
export function renderReport(report: Report, options: TextOptions): string {
  const width = Math.max(options.width, LEAST_WIDTH);
  const style = styles(options.color);
  const lines = [...headerLines(report, width, style.bold), ''];
  if (report.recommendations.length === 0) {
    lines.push('Nothing to recommend. Why not stands below.', '');
  } else {
    lines.push(...overviewLines(report, width, style.bold), '');
  }
  report.recommendations.forEach((recommendation, position) => {
    lines.push(...recommendationLines(recommendation, position + 1, { width }, style), '');
  });
  if (report.rejections.length > 0) {
    const heading = `Considered and not recommended: ${report.rejections.length} (shares are of the workload's plan cost now; --json and the API have all, with their reasons)`;
    lines.push(...wrap(heading, width, '').map(style.bold));
    lines.push(...rejectionLines(report.rejection_groups, width), '');
  }
  if (report.limits.length > 0) {
    lines.push(style.bold('What could not be seen or analysed'));
    for (const { scope, message, remedy } of report.limits) {
      lines.push(...wrapItem(`${scope}: ${message}${remedy ? ` ${remedy}` : ''}`, width, '  ', '- '));
    }
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function headerLines(report: Report, width: number, bold: Style): string[] {
  const { summary, target, window } = report;
  const service = target.managed_service ? ` (${target.managed_service})` : '';
  const time =
    window.source === 'files'
      ? weightWords(window)
      : `${milliseconds(summary.database_time_ms)} database time`;
  const facts = [
    `PostgreSQL ${target.server_version}, database ${target.database}${service}`,
    windowLine(report),
    `${summary.statements_analysed} of ${summary.statements_seen} statements analysed, ${percent(summary.analysed_share_of_time)} of ${time}`,
  ];
  if (summary.what_if) {
    const { engine, server_version, questions, concluded } = summary.what_if;
    facts.push(
      `simulated by a ${engine} on PostgreSQL ${server_version}: ${amount(questions)} plans${concluded > 0 ? `, ${amount(concluded)} costs concluded from them` : ''}`,
    );
  }
  facts.push(...scorecardFacts(summary), ...costFacts(summary), ...notAnalysedFacts(summary, time));
  return [
    bold(`PgLuthier report on ${visibleLine(target.name)}`),
    ...facts.flatMap((fact) => wrap(fact, width, '  ')),
  ];
}

function windowLine({ window }: Report): string {
  if (window.source === 'files') return 'workload from files';
  if (window.source === 'window') {
    return `window ${window.from} to ${window.to} (${amount(window.seconds ?? 0)} s)`;
  }
  return `counters since their reset, as of ${window.to ?? 'now'}: a window between two snapshots says more`;
}

/** All recommendations at a glance, in their order. */
function overviewLines(report: Report, width: number, bold: Style): string[] {
  const table = new Table({
    head: ['#', 'severity', 'evidence', 'sure', 'takes force', 'what'],
    colAligns: ['right', 'left', 'left', 'right', 'left', 'left'],
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
    chars: BORDERLESS,
  });
  const others = 2 + 8 + 9 + 5 + 11 + 6 * 2;
  report.recommendations.forEach((item, position) => {
    table.push([
      position + 1,
      item.severity,
      item.evidence_level,
      `${Math.round(100 * item.confidence)} %`,
      item.statements.length === 0
        ? 'by hand'
        : item.risk.restart
          ? 'restart'
          : item.risk.reload
            ? 'reload'
            : 'at once',
      shorten(item.title, Math.max(width - others - 2, 20)),
    ]);
  });
  const lines = table.toString().split('\n');
  return [
    bold(`${report.recommendations.length} recommendation(s)`),
    ...lines.map((line) => `  ${line}`.trimEnd()),
  ];
}
