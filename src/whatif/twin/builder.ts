/** Runs DDL where one failure costs one object, whatever order the objects need each other in. */
import pg from 'pg';
import type { Limit } from '../../domain/index.ts';

export interface Definition {
  /** Kind and name, for the limit. */
  what: string;
  sql: string;
}

const BATCH = 200;
/** Objects of a kind that are named one by one. */
const NAMED = 20;
/** duplicate_table, _object, _function, _schema: an extension has made it already, or an attached parent has. */
const ALREADY_THERE = new Set(['42P07', '42710', '42723', '42P06']);

export class Builder {
  readonly #client: pg.Client;
  #failed: (Definition & { reason: string })[] = [];
  constructor(client: pg.Client) {
    this.#client = client;
  }

  /** All at once where that works (one round trip a batch), one by one where something fails. */
  async run(items: readonly Definition[]): Promise<void> {
    for (let start = 0; start < items.length; start += BATCH) {
      const batch = items.slice(start, start + BATCH);
      try {
        // A line break before each semicolon: a definition may end in a comment.
        await this.#client.query(`BEGIN;\n${batch.map((item) => item.sql).join('\n;\n')}\n;COMMIT`);
      } catch (error) {
        if (!(error instanceof pg.DatabaseError)) throw error;
        await this.#client.query('ROLLBACK');
        for (const item of batch) await this.#one(item);
      }
    }
  }

  /** Tries again what lacked something that came later, as long as that helps. */
  async retry(): Promise<void> {
    for (;;) {
      const again = this.#failed;
      this.#failed = [];
      for (const item of again) await this.#one(item);
      if (this.#failed.length === 0 || this.#failed.length === again.length) return;
    }
  }

  /** What could not be built in the end: of each kind the first few with their reasons, and how many more. */
  limits(): Limit[] {
    const kinds = new Map<string, (Definition & { reason: string })[]>();
    for (const item of this.#failed) {
      const [kind = ''] = item.what.split(' ');
      const list = kinds.get(kind) ?? [];
      list.push(item);
      kinds.set(kind, list);
    }
    return [...kinds].flatMap(([kind, items]) => [
      ...items
        .slice(0, NAMED)
        .map(({ what, reason }) => notRebuilt(`${what} could not be rebuilt in the twin: ${reason}.`)),
      ...(items.length > NAMED
        ? [notRebuilt(`${items.length - NAMED} more of kind ${kind} could not be rebuilt in the twin.`)]
        : []),
    ]);
  }

  async #one(item: Definition): Promise<void> {
    try {
      await this.#client.query(item.sql);
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error;
      if (!ALREADY_THERE.has(error.code ?? '')) this.#failed.push({ ...item, reason: error.message });
    }
  }
}

const notRebuilt = (message: string): Limit => ({
  scope: 'twin',
  code: 'object_not_rebuilt',
  message: `${message} Statements that need it are not simulated, or without it.`,
  remedy: null,
});
