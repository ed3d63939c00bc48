/** `pgluthier scorecard`: of a database, of a file, against a baseline; what it refuses. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportSnapshot } from '../../src/commands/export.ts';
import { fails, scorecardOnce } from '../../src/commands/scorecard.ts';
import type { Scorecard } from '../../src/domain/index.ts';
import { renderScorecard, renderScorecardMarkdown } from '../../src/report/index.ts';
import { testServer } from '../support/servers.ts';

let dsn: string;
let drop: () => Promise<void>;
let directory: string;
beforeAll(async () => {
  ({ dsn, drop } = await (await testServer()).createDatabase({ sql: 'CREATE EXTENSION pg_stat_statements' }));
  directory = await mkdtemp(join(tmpdir(), 'pgluthier-scorecard-'));
});
afterAll(async () => {
  await drop?.();
  await rm(directory, { recursive: true, force: true });
});
const file = (name: string) => join(directory, name);
const format = { format: 'text' } as const;

test('of a database and of its export gives the same questions, and text and Markdown hold them all', async () => {
  const live = await scorecardOnce(dsn, format);
  await exportSnapshot(dsn, { output: file('a.snapshot'), strip: 'none' });
  const read = await scorecardOnce(undefined, { ...format, snapshot: file('a.snapshot') });
  const of = ({ checklist }: Scorecard) => checklist.map(({ id }) => id);
  expect(of(read.scorecard)).toEqual(of(live.scorecard));
  const text = renderScorecard(live.scorecard, null, { color: false, width: 100 });
  const markdown = renderScorecardMarkdown(live.scorecard, null);
  for (const { title } of live.scorecard.metrics) expect(text).toContain(title);
  for (const { question, answer } of live.scorecard.checklist) {
    expect(markdown).toContain(`${answer === 'yes' ? '- [x]' : '- [ ]'}`);
    expect(markdown.replaceAll('\\', '')).toContain(question);
  }
  expect(text).not.toMatch(/undefined|NaN|\[object/);
  expect(markdown).not.toMatch(/undefined|NaN|\[object/);
});

test('a window reads the host twice; a file with a window does not', async () => {
  const watched = await scorecardOnce(dsn, { ...format, window: 3 });
  const cpu = watched.scorecard.metrics.find(({ id }) => id === 'cpu_usage');
  // Unless the server runs in a control group with limits, where the host's use is not its own.
  if (cpu?.value !== null) expect(cpu?.value).toBeLessThanOrEqual(1);
  else expect(cpu.note).toContain('control group');
  await exportSnapshot(dsn, { output: file('w.snapshot'), strip: 'none', window: 1 });
  const read = await scorecardOnce(undefined, { ...format, snapshot: file('w.snapshot') });
  expect(read.scorecard.window.source).toBe('window');
  expect(read.scorecard.metrics.find(({ id }) => id === 'cpu_usage')?.value).toBeNull();
});

test('is kept in a file, not over another one, and compared with later', async () => {
  const saveBaseline = file('base.json');
  await scorecardOnce(dsn, { ...format, saveBaseline });
  await expect(scorecardOnce(dsn, { ...format, saveBaseline })).rejects.toMatchObject({
    code: 'usage_invalid',
    message: expect.stringContaining('already'),
  });
  await scorecardOnce(dsn, { ...format, saveBaseline, force: true });
  const { scorecard, comparison } = await scorecardOnce(dsn, { ...format, baseline: saveBaseline });
  expect(comparison?.metrics.map(({ id }) => id)).toEqual(scorecard.metrics.map(({ id }) => id));
  expect(renderScorecard(scorecard, comparison, { color: false, width: 100 })).toContain('Against');
  expect(renderScorecardMarkdown(scorecard, comparison)).toContain('| metric | then | now |');
  expect(JSON.parse(await readFile(saveBaseline, 'utf8')).scorecard.format_version).toBe(1);
});

test('thresholds of a file grade, and --fail-on goes by the worst grade', async () => {
  await writeFile(file('t.json'), '{"connections_used": {"target": 0, "acceptable": 0, "critical": 0}}');
  const { scorecard } = await scorecardOnce(dsn, { ...format, thresholds: file('t.json') });
  // There may be no other session at all; then a zero is on its bound.
  const used = scorecard.metrics.find(({ id }) => id === 'connections_used');
  expect(used?.grade).toBe(used?.value === 0 ? 'target' : 'critical');
  const of = (overall: Scorecard['overall']) => ({ ...scorecard, overall });
  expect(fails(of('critical'), 'warning')).toBe(true);
  expect(fails(of('warning'), 'warning')).toBe(true);
  expect(fails(of('acceptable'), 'warning')).toBe(false);
  expect(fails(of('unknown'), 'acceptable')).toBe(false);
  expect(fails(of('critical'), undefined)).toBe(false);
});

describe('is refused', () => {
  test.each([
    ['without anything to look at', undefined, {}],
    ['with both', 'postgresql://h/d', { snapshot: 'x' }],
    ['with a file to be watched', undefined, { snapshot: 'x', window: 3 }],
  ])('%s', async (_, given, options) => {
    await expect(scorecardOnce(given, { ...format, ...options })).rejects.toMatchObject({
      code: 'usage_invalid',
    });
  });

  test.each([
    ['no file', null, 'ENOENT'],
    ['no JSON', '{', 'is not JSON'],
    ['another metric', '{"speed": null}', 'does not fit'],
    [
      'bounds out of order',
      '{"statement_p95_ms": {"target": 3, "acceptable": 2, "critical": 1}}',
      'must rise',
    ],
  ])('with thresholds that are %s', async (_, text, message) => {
    const thresholds = file(`bad-${message.length}.json`);
    if (text !== null) await writeFile(thresholds, text);
    await expect(scorecardOnce(dsn, { ...format, thresholds })).rejects.toMatchObject({
      code: 'scorecard_file_invalid',
      message: expect.stringContaining(message),
    });
  });

  test('with a baseline that is none', async () => {
    await writeFile(file('none.json'), '{"name": "x"}');
    await expect(scorecardOnce(dsn, { ...format, baseline: file('none.json') })).rejects.toMatchObject({
      code: 'scorecard_file_invalid',
    });
  });
});
