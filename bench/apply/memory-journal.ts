/** A journal in memory: what an apply costs beside the store. */
import type { Journal, JournalEntry } from '../../src/domain/index.ts';

export function memoryJournal(): Journal {
  const entries: JournalEntry[] = [];
  return {
    intend: async (entry) =>
      entries.push({
        ...entry,
        step: entries.length + 1,
        state: 'intended',
        started_at: new Date().toISOString(),
        finished_at: null,
        sqlstate: null,
        message: null,
      }),
    settle: async (step, outcome) => {
      const entry = entries[step - 1];
      if (entry) Object.assign(entry, outcome, { finished_at: new Date().toISOString() });
    },
    entries: async () => entries,
  };
}
