/** The report as Markdown, for a ticket or a wiki. */
import {
  type AffectedStatement,
  type PlanTree,
  type Recommendation,
  type RejectionGroup,
  type Report,
  weightWords,
} from '../domain/index.ts';
import { amount, bytes, evidenceValue, percent, roughSeconds, shorten } from './format.ts';
import { renderPlan } from './plan-text.ts';
import { candidateOf, nearnessText, tableText } from './rejection-text.ts';
import { costFacts, notAnalysedFacts, scorecardFacts } from './summary-text.ts';
import { visible, visibleLine } from './terminal-text.ts';

/** Text of others in a line of Markdown: nothing in it is markup, and no HTML. */
export const plain = (text: string) => visibleLine(text).replace(/[\\`*_[\]<>|#~]/g, '\\$&');

/** Code within a line: fenced by more backticks than stand in it. */
function span(content: string): string {
  const fence = '`'.repeat(longestRun(content) + 1);
  const space = content.startsWith('`') || content.endsWith('`') ? ' ' : '';
  return `${fence}${space}${content}${space}${fence}`;
}

/** The same within a cell, where a bar would end it. */
const code = (text: string) => span(visibleLine(text).replaceAll('|', '\\|'));

function longestRun(text: string): number {
  return Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
}

/** A block of SQL, whole; the fence outlasts any backticks in it. */
function sqlBlock(statements: readonly string[]): string[] {
  return block('sql', statements.map((statement) => visible(`${statement};`)).join('\n'));
}

function block(language: string, text: string): string[] {
  const fence = '`'.repeat(Math.max(3, longestRun(text) + 1));
  return [`${fence}${language}`, text, fence, ''];
}

/** The whole report; ends with a newline. */
export function renderReportMarkdown(report: Report): string {
  const { summary, target } = report;
  const lines = [
    `# PgLuthier report on ${plain(target.name)}`,
    '',
    `PostgreSQL ${plain(target.server_version)}, database ${code(target.database)}, ${summary.generated_at}. ` +
      `${summary.statements_analysed} of ${summary.statements_seen} statements analysed, ${percent(summary.analysed_share_of_time)} of ${weightWords(report.window)}.`,
    '',
  ];
  const time = weightWords(report.window);
  const facts = [...scorecardFacts(summary), ...costFacts(summary), ...notAnalysedFacts(summary, time)];
  lines.push(...facts.map((fact) => `- ${plain(fact)}`), ...(facts.length > 0 ? [''] : []));
  if (report.recommendations.length === 0) lines.push('Nothing to recommend.', '');
  report.recommendations.forEach((item, position) => {
    lines.push(...recommendation(item, position + 1));
  });
  if (report.rejections.length > 0) {
    lines.push('## Considered and not recommended', '', ...report.rejection_groups.flatMap(rejectionGroup));
  }
  if (report.limits.length > 0) {
    lines.push('## What could not be seen', '');
    for (const limit of report.limits) {
      const remedy = limit.remedy ? ` ${plain(limit.remedy)}` : '';
      lines.push(`- ${plain(limit.scope)}: ${plain(limit.message)}${remedy}`);
    }
    lines.push('');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

/** A reason with what came nearest of each table; the JSON has all. */
function rejectionGroup({ area, title, count, tables }: RejectionGroup): string[] {
  const lines = [`**${plain(area)}: ${plain(title)}** (${count})`, ''];
  lines.push('| table | candidate | why |', '|---|---|---|');
  for (const part of tables) {
    for (const item of part.nearest) {
      const why = item.nearness ? `${nearnessText(item.nearness)}: ${item.reason}` : item.reason;
      lines.push(`| ${plain(tableText(part))} | ${code(candidateOf(item))} | ${plain(why)} |`);
    }
    const rest = part.count - part.nearest.length;
    if (rest > 0) lines.push(`| ${plain(tableText(part))} | | ${rest} more in the JSON |`);
  }
  return [...lines, ''];
}

function recommendation(item: Recommendation, number: number): string[] {
  const lines = [
    `## ${number}. ${plain(item.title)}`,
    '',
    `${item.severity}, ${code(item.rule)}, ${item.evidence_level}, confidence ${percent(item.confidence)}`,
    '',
    plain(item.rationale),
    '',
  ];
  if (item.statements.length > 0) lines.push(...sqlBlock(item.statements));
  if (item.rollback.length > 0) lines.push('Way back:', '', ...sqlBlock(item.rollback));
  if (item.statements.length === 0) {
    for (const { dialect, text } of item.by_hand ?? []) {
      lines.push(`By hand (${plain(dialect)}):`, '', ...block('', visible(text.trimEnd())));
    }
  }
  const { size_bytes, build_seconds } = item.estimate;
  if (size_bytes !== null) lines.push(`Disk: ${bytes(size_bytes)}`, '');
  if (build_seconds != null) lines.push(`Time to build it: about ${roughSeconds(build_seconds)}`, '');
  if (item.affects.length > 0) {
    lines.push(
      '| statement | calls | calls a day | share of time | cost before | cost after |',
      '|---|--:|--:|--:|--:|--:|',
    );
    for (const affected of item.affects) {
      lines.push(
        `| ${code(shorten(affected.query, 120))} | ${amount(affected.calls)} | ${affected.calls_per_day == null ? '' : amount(affected.calls_per_day)} | ${percent(affected.share_of_time)} | ${amount(affected.cost_before)} | ${amount(affected.cost_after)} |`,
      );
    }
    lines.push('', ...planLines(item.affects));
  }
  lines.push('| evidence | value | level | source | formula |', '|---|---|---|---|---|');
  for (const evidence of item.evidence) {
    lines.push(
      `| ${plain(evidence.name)} | ${plain(evidenceValue(evidence.value, evidence.unit))} | ${evidence.level} | ${plain(evidence.source)} | ${plain(evidence.formula ?? '')} |`,
    );
  }
  lines.push(
    '',
    `Locks: ${plain(item.risk.locks)}`,
    '',
    ...item.risk.notes.map((note) => `- ${plain(note)}`),
    '',
  );
  return lines;
}

/** What changes in the plans of the statements that have them, and the plans behind a fold. */
function planLines(affected: readonly AffectedStatement[]): string[] {
  return affected.flatMap(({ query, plan_change }) => {
    if (!plan_change || plan_change.changes.length === 0) return [];
    const text = (tree: PlanTree) => block('', renderPlan(tree).join('\n'));
    return [
      `Plan of ${span(shorten(query, 120))}:`,
      '',
      ...plan_change.changes.map((change) => `- ${plain(change.text)}`),
      '',
      '<details><summary>Plans now and with everything recommended (parameters have sampled values)</summary>',
      '',
      ...text(plan_change.before),
      ...text(plan_change.after),
      '</details>',
      '',
    ];
  });
}
