/** What the formats of migrations have in common. */

/** What is written; of a recommendation or of a plan. */
export interface MigrationInput {
  title: string;
  /** One statement an entry, without semicolons. */
  statements: readonly string[];
  rollback: readonly string[];
}

export interface Migration {
  /** Paths are relative to the tool's folder of migrations. */
  files: { path: string; content: string }[];
  /** What a person must know to run it. */
  notes: string[];
}

/** What the formats work with. */
export interface MigrationParts extends MigrationInput {
  /** Words of the title in lower case, joined by _, 60 characters at most. */
  slug: string;
  /** 14 digits, yyyymmddhhmmss in UTC; `later` for the next files of the same migration. */
  version: (later?: number) => string;
  /** No statement, in neither direction, needs to be outside of a transaction. */
  transactional: boolean;
}

/** A title as comment lines: PostgreSQL, Ruby and Python end a comment at a line's end. */
export const commented = (mark: string, text: string) =>
  text
    .split(/\r\n|[\n\r]/)
    .map((line) => `${mark} ${line}`.trimEnd())
    .join('\n');
