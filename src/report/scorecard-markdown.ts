/** The scorecard as Markdown, for a ticket or a wiki. */
import type { ChecklistItem, Scorecard, ScorecardComparison } from '../domain/index.ts';
import { evidenceValue } from './format.ts';
import { plain } from './markdown.ts';
import { metricValue } from './metric-value.ts';
import { changeText, coverage, gradeText, thresholdText, valueText } from './scorecard-text.ts';

const BOXES = { yes: '[x]', no: '[ ]', unknown: '[ ] unknown:' } as const;

/** The whole scorecard; ends with a newline. */
export function renderScorecardMarkdown(
  scorecard: Scorecard,
  comparison: ScorecardComparison | null,
): string {
  const { target } = scorecard;
  const lines = [
    `# Scorecard of ${plain(target.name)}: ${scorecard.overall}`,
    '',
    `PostgreSQL ${plain(target.server_version)}, database ${plain(target.database)}, ${scorecard.generated_at}; ${coverage(scorecard)}.`,
    '',
    '| metric | value | grade | target / acceptable / critical | thresholds from |',
    '|---|---|---|---|---|',
    ...scorecard.metrics.map(
      (metric) =>
        `| ${plain(metric.title)} | ${valueText(metric)} | ${gradeText(metric)} | ${thresholdText(metric)} | ${plain(metric.thresholds_source)} |`,
    ),
    '',
  ];
  if (comparison) lines.push(...comparisonLines(comparison));
  lines.push('## Checklist', '', ...scorecard.checklist.flatMap(checkLines), '');
  lines.push(
    '## Where the values come from',
    '',
    '| metric | what | value | level | source |',
    '|---|---|---|---|---|',
  );
  for (const { title, evidence } of scorecard.metrics) {
    for (const { name, value, unit, level, source, formula } of evidence) {
      lines.push(
        `| ${plain(title)} | ${plain(name)} | ${plain(evidenceValue(value, unit))} | ${level} | ${plain(formula ?? source)} |`,
      );
    }
  }
  if (scorecard.limits.length > 0) {
    lines.push('', '## What could not be seen, or only in part', '');
    for (const { message, remedy } of scorecard.limits)
      lines.push(`- ${plain(message)}${remedy ? ` ${plain(remedy)}` : ''}`);
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function checkLines({ answer, question, because, evidence }: ChecklistItem): string[] {
  return [
    `- ${BOXES[answer]} ${plain(question)} ${plain(because)}`,
    ...evidence.map(
      ({ name, value, unit, source }) =>
        `  - ${plain(name)}: ${plain(evidenceValue(value, unit))} (${plain(source)})`,
    ),
  ];
}

function comparisonLines({ baseline, metrics, checklist, caveats }: ScorecardComparison): string[] {
  return [
    `## Against ${plain(baseline.name)} of ${baseline.generated_at}`,
    '',
    '| metric | then | now | change | verdict | grade |',
    '|---|---|---|---|---|---|',
    ...metrics.map(
      ({ title, unit, before, now, change, relative, verdict, grade_before, grade_now }) =>
        `| ${plain(title)} | ${metricValue(before, unit)} | ${metricValue(now, unit)} | ${changeText(change, unit, relative)} | ${verdict} | ${grade_before} → ${grade_now} |`,
    ),
    '',
    ...checklist.map(({ question, before, now }) => `- ${plain(question)} ${before} → ${now}`),
    ...caveats.map((caveat) => `- Mind: ${plain(caveat)}`),
    '',
  ];
}
