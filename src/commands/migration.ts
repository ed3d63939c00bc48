/** `pgluthier migration`: what a report of `analyze --json` recommends, as migrations of somebody's own tool. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { buildPlan } from '../apply/index.ts';
import { changeSchema, PgLuthierError } from '../domain/index.ts';
import { type MigrationFormat, renderMigration } from '../report/index.ts';

export interface MigrationOptions {
  format: MigrationFormat;
  output: string;
  /** Ids of recommendations; absent: all that have SQL. */
  only?: string[];
}

const reportSchema = z.object({
  recommendations: z.array(z.object({ id: z.string(), title: z.string(), change: changeSchema })),
});

/** A second between two recommendations' versions is not enough: one may take several files. */
const SECONDS_APART = 600;

/**
 * Writes the files; one that is there is never replaced.
 * @returns paths and notes, as lines.
 * @throws PgLuthierError `usage_report_unreadable`, `usage_recommendation_unknown`, `usage_file_exists`.
 */
export async function writeMigrations(report: string, options: MigrationOptions, at: Date): Promise<string> {
  const { recommendations } = await readReport(report);
  const wanted = options.only ?? recommendations.map(({ id }) => id);
  const unknown = wanted.filter((id) => !recommendations.some((one) => one.id === id));
  if (unknown.length > 0) {
    throw new PgLuthierError({
      code: 'usage_recommendation_unknown',
      status: 400,
      message: `The report has no recommendation ${unknown.join(', ')}.`,
      remedy: 'Take ids of its recommendations.',
    });
  }
  const lines: string[] = [];
  let later = 0;
  for (const { id, title, change } of recommendations) {
    if (!wanted.includes(id)) continue;
    // Rendered anew from the typed change: a report's own SQL is text that anybody may have edited.
    const { statements, rollback } = buildPlan(change);
    if (statements.length === 0) continue;
    const version = new Date(at.getTime() + later * SECONDS_APART * 1000);
    const { files, notes } = renderMigration(options.format, { title, statements, rollback }, version);
    for (const { path, content } of files) {
      const target = join(options.output, path);
      await mkdir(dirname(target), { recursive: true });
      await writeNew(target, content);
      lines.push(target);
    }
    lines.push(...notes.map((note) => `  ${note}`));
    later += 1;
  }
  return lines.length === 0 ? 'Nothing in the report has SQL to run.\n' : `${lines.join('\n')}\n`;
}

async function readReport(path: string) {
  try {
    return reportSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    throw new PgLuthierError({
      code: 'usage_report_unreadable',
      status: 400,
      message: `${path} is no report of pgluthier analyze --json.`,
      remedy: 'Write one with pgluthier analyze <dsn> --json -o report.json.',
      cause,
    });
  }
}

async function writeNew(path: string, content: string): Promise<void> {
  try {
    await writeFile(path, content, { flag: 'wx' });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new PgLuthierError({
      code: 'usage_file_exists',
      status: 400,
      message: `${path} is there already.`,
      remedy: 'Give another folder with -o.',
    });
  }
}
