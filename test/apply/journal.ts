/** A journal in a file, so that it outlives the process that writes it. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Journal, JournalEntry } from '../../src/domain/index.ts';

export function fileJournal(path: string): Journal {
  const read = (): JournalEntry[] =>
    existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as JournalEntry[]) : [];
  return {
    intend: async (entry) => {
      const entries = read();
      const step = entries.length + 1;
      entries.push({
        ...entry,
        step,
        state: 'intended',
        started_at: new Date().toISOString(),
        finished_at: null,
        sqlstate: null,
        message: null,
      });
      writeFileSync(path, JSON.stringify(entries));
      return step;
    },
    settle: async (step, outcome) => {
      const entries = read().map((entry) =>
        entry.step === step ? { ...entry, ...outcome, finished_at: new Date().toISOString() } : entry,
      );
      writeFileSync(path, JSON.stringify(entries));
    },
    entries: async () => read(),
  };
}

const made: string[] = [];
process.once('exit', () => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true });
});

/** A new one in a directory of its own, with these entries. */
export function newJournal(entries: readonly JournalEntry[] = []): Journal & { path: string } {
  const path = join(mkdtempSync(join(tmpdir(), 'pgluthier-journal-')), 'journal.json');
  made.push(dirname(path));
  if (entries.length > 0) writeFileSync(path, JSON.stringify(entries));
  return { path, ...fileJournal(path) };
}
