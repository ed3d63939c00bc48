/** One recommendation in a terminal: why, what exactly would run, what it may do, the way back, and the evidence. */
import Table from 'cli-table3';
import type { AffectedStatement, Recommendation } from '../domain/index.ts';
import { amount, bytes, evidenceValue, percent, roughSeconds, shorten, wrap, wrapItem } from './format.ts';
import { visible } from './terminal-text.ts';

/** Listed; the JSON has all. */
const AFFECTED_LISTED = 4;

export type Style = (text: string) => string;
export type Styles = Record<'bold' | 'dim', Style>;

/** Bold and dim, or nothing where the output is no terminal. */
export function styles(color: boolean): Styles {
  const style = (code: number): Style => (color ? (text) => `\x1b[${code}m${text}\x1b[0m` : (text) => text);
  return { bold: style(1), dim: style(2) };
}

/** SQL is never cut and never wrapped: it must run as it stands when copied. */
function sqlLines(statement: string): string[] {
  return visible(`${statement};`)
    .split('\n')
    .map((line) => `     ${line}`);
}

/** The lines of one recommendation, its place in the report in front. */
export function recommendationLines(
  item: Recommendation,
  number: number,
  { width }: { width: number },
  { bold, dim }: Styles,
): string[] {
  const lines = wrap(`${number}. [${item.severity}] ${item.title}`, width, '').map(bold);
  const force = item.risk.restart ? ', wants a restart' : '';
  lines.push(
    ...wrap(
      `${item.rule}, ${item.evidence_level}, confidence ${percent(item.confidence)}${force}`,
      width,
      '   ',
    ).map(dim),
    ...wrap(item.rationale, width, '   '),
  );
  const estimate = estimateLine(item);
  if (estimate !== '') lines.push(`   ${estimate}`);
  if (item.statements.length > 0) lines.push('', ...item.statements.flatMap(sqlLines), '');
  if (item.rollback.length > 0)
    lines.push(dim('   way back'), ...item.rollback.flatMap(sqlLines).map(dim), '');
  lines.push(...byHandLines(item));
  lines.push(...affectedLines(item.affects, width), ...planLines(item.affects, width));
  lines.push(dim('   evidence'));
  for (const evidence of item.evidence) {
    const formula = evidence.formula ? ` = ${evidence.formula}` : '';
    const text = `${evidence.name}: ${evidenceValue(evidence.value, evidence.unit)}${formula} (${evidence.level}; ${evidence.source})`;
    lines.push(...wrapItem(text, width, '   ', '- ').map(dim));
  }
  lines.push(dim('   risk'), ...wrapItem(`locks: ${item.risk.locks}`, width, '   ', '- ').map(dim));
  for (const note of item.risk.notes) lines.push(...wrapItem(note, width, '   ', '- ').map(dim));
  return lines;
}

/** Only where the service cannot do it itself: else the statements say it. */
function byHandLines({ statements, by_hand = [] }: Recommendation): string[] {
  if (statements.length > 0 || by_hand.length === 0) return [];
  return [
    '',
    ...by_hand.flatMap(({ dialect, text }) => [
      `   by hand (${dialect})`,
      ...visible(text.trimEnd())
        .split('\n')
        .map((line) => `     ${line}`),
    ]),
    '',
  ];
}

function estimateLine({ estimate }: Recommendation): string {
  const { cost_before, cost_after, size_bytes, write_overhead, build_seconds } = estimate;
  return [
    cost_before !== null && cost_after !== null
      ? `plan cost ${amount(cost_before)} → ${amount(cost_after)}`
      : '',
    size_bytes === null ? '' : `disk ${size_bytes > 0 ? '+' : ''}${bytes(size_bytes)}`,
    write_overhead ? `writes ${write_overhead > 0 ? '+' : ''}${amount(write_overhead)} cost units` : '',
    build_seconds == null ? '' : `about ${roughSeconds(build_seconds)} to build`,
  ]
    .filter(Boolean)
    .join(', ');
}

const COLUMNS = [12, 12, 9, 10];

function affectedLines(affected: readonly AffectedStatement[], width: number): string[] {
  if (affected.length === 0) return [];
  const table = new Table({
    head: ['cost now', 'cost after', 'of time', 'calls', 'statement'],
    colAligns: ['right', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
    chars: BORDERLESS,
  });
  const room = width - COLUMNS.reduce((sum, column) => sum + column + 2, 0) - 3;
  for (const item of affected.slice(0, AFFECTED_LISTED)) {
    table.push([
      amount(item.cost_before),
      amount(item.cost_after),
      percent(item.share_of_time),
      amount(item.calls),
      shorten(item.query, Math.max(room, 20)),
    ]);
  }
  const lines = table
    .toString()
    .split('\n')
    .map((line) => `   ${line}`.trimEnd());
  if (affected.length > AFFECTED_LISTED)
    lines.push(`   … and ${affected.length - AFFECTED_LISTED} more statements (--json has all)`);
  return [...lines, ''];
}

/** Of a statement with its plans, the beginning of its text. */
const STATEMENT_LENGTH = 50;

/** What changes in the plans, in two lines a statement at most; Markdown and JSON have the plans themselves. */
function planLines(affected: readonly AffectedStatement[], width: number): string[] {
  const lines = affected.flatMap(({ query, plan_change }) => {
    // The costs stand in the table above.
    const changes = (plan_change?.changes ?? []).filter(({ kind }) => kind !== 'cost');
    if (changes.length === 0) return [];
    const text = `${shorten(query, STATEMENT_LENGTH)}: ${changes.map((change) => change.text).join('; ')}`;
    const room = 2 * (width - 8);
    return wrapItem(shorten(text, room), width, '   ', '- ');
  });
  if (lines.length === 0) return [];
  return ['   plans, now → with everything recommended', ...lines, ''];
}

/** Columns without a grid: a report is read, not framed. */
export const BORDERLESS = Object.fromEntries(
  'top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid mid-mid right right-mid middle'
    .split(' ')
    .map((name) => [name, '']),
);
