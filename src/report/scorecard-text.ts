/** The scorecard in a terminal. */
import Table from 'cli-table3';
import type { Scorecard, ScorecardComparison, ScorecardMetric } from '../domain/index.ts';
import { amount, bytes, evidenceValue, percent, wrap, wrapItem } from './format.ts';
import { metricValue } from './metric-value.ts';
import { BORDERLESS, styles } from './recommendation-text.ts';
import { visibleLine } from './terminal-text.ts';
import type { TextOptions } from './text.ts';

const ANSWERS = { yes: 'yes', no: 'NO', unknown: '?' } as const;

/** `≤ 10.0 ms / 50.0 ms / 100.0 ms`. */
export function thresholdText({ thresholds, unit, better }: ScorecardMetric): string {
  if (thresholds === null) return '–';
  const { target, acceptable, critical } = thresholds;
  const shown = [target, acceptable, critical].map((bound) => metricValue(bound, unit));
  return `${better === 'lower' ? '≤' : '≥'} ${shown.join(' / ')}`;
}

/** A grade with what makes it less than sure. */
export function gradeText({ grade, certain, provisional }: ScorecardMetric): string {
  return `${grade}${certain ? '' : ' (by the estimate)'}${provisional ? ', provisional' : ''}`;
}

/** Value with the range that holds for any shape, where it is derived. */
export function valueText({ value, low, high, unit }: ScorecardMetric): string {
  const shown = metricValue(value, unit);
  return low === null || high === null
    ? shown
    : `about ${shown} (${metricValue(low, unit)} to ${metricValue(high, unit)})`;
}

/** A change with its sign. */
export function changeText(change: number | null, unit: string, relative: number | null): string {
  if (change === null) return '';
  const sign = change >= 0 ? '+' : '−';
  const absolute = `${sign}${metricValue(Math.abs(change), unit)}`;
  return relative === null ? absolute : `${absolute} (${sign}${percent(Math.abs(relative))})`;
}

/** What the counters cover, in words. */
export function coverage({ window }: Scorecard): string {
  if (window.source === 'window') {
    return `window ${window.from} to ${window.to} (${amount(window.seconds ?? 0)} s)`;
  }
  return `counters since their reset${window.from ? ` (statements: ${window.from})` : ''}, as of ${window.to ?? 'now'}`;
}

/** The whole scorecard; ends with a newline. */
export function renderScorecard(
  scorecard: Scorecard,
  comparison: ScorecardComparison | null,
  options: TextOptions,
): string {
  const width = Math.max(options.width, 80);
  const { bold } = styles(options.color);
  const { target } = scorecard;
  const size = target.database_size_bytes === null ? '' : `, ${bytes(target.database_size_bytes)}`;
  const lines = [
    bold(`Scorecard of ${visibleLine(target.name)}: ${scorecard.overall}`),
    ...wrap(`PostgreSQL ${target.server_version}, database ${target.database}${size}`, width, '  '),
    ...wrap(coverage(scorecard), width, '  '),
    '',
    ...table(
      ['metric', 'value', 'grade', 'target / acceptable / critical'],
      scorecard.metrics.map((metric) => [
        metric.title,
        valueText(metric),
        gradeText(metric),
        thresholdText(metric),
      ]),
    ),
    '',
    ...wrap(
      'Values with "about" are derived from means and deviations; the range in parentheses holds whatever the shape.',
      width,
      '  ',
    ),
    '',
  ];
  if (comparison) lines.push(...comparisonLines(comparison, width, bold));
  lines.push(bold('Checklist'));
  for (const { answer, question, because, evidence, remedy } of scorecard.checklist) {
    lines.push(
      ...wrapItem(`${question} ${because}`, width, '  ', `${ANSWERS[answer].padEnd(4)}`),
      ...evidence
        .slice(0, 4)
        .flatMap(({ name, value, unit, source }) =>
          wrap(`${name}: ${evidenceValue(value, unit)} [${source}]`, width, '        '),
        ),
      ...(answer !== 'yes' && remedy ? wrap(`→ ${remedy}`, width, '        ') : []),
    );
  }
  if (scorecard.limits.length > 0) {
    lines.push('', bold('What could not be seen, or only in part'));
    for (const { message, remedy } of scorecard.limits)
      lines.push(...wrapItem(`${message}${remedy ? ` ${remedy}` : ''}`, width, '  ', '- '));
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function comparisonLines(comparison: ScorecardComparison, width: number, bold: (text: string) => string) {
  const { baseline, metrics, checklist, caveats } = comparison;
  return [
    bold(`Against ${visibleLine(baseline.name)} of ${baseline.generated_at}`),
    ...table(
      ['metric', 'then', 'now', 'change', 'verdict', 'grade'],
      metrics.map(({ title, unit, before, now, change, relative, verdict, grade_before, grade_now }) => [
        title,
        metricValue(before, unit),
        metricValue(now, unit),
        changeText(change, unit, relative),
        verdict,
        grade_before === grade_now ? grade_now : `${grade_before} → ${grade_now}`,
      ]),
    ),
    ...checklist.flatMap(({ question, before, now }) =>
      wrapItem(`${question} ${before} → ${now}`, width, '  ', '- '),
    ),
    ...caveats.flatMap((caveat) => wrapItem(`Mind: ${caveat}`, width, '  ', '- ')),
    '',
  ];
}

function table(head: string[], rows: string[][]): string[] {
  const drawn = new Table({
    head,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
    chars: BORDERLESS,
  });
  drawn.push(...rows);
  return drawn
    .toString()
    .split('\n')
    .map((line) => `  ${line}`.trimEnd());
}
