/** The end of a server's log, for an error message. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

const TAIL_LINES = 20;

async function lastLines(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-TAIL_LINES);
}

/** The last lines of the server's stderr and, where a collector took over, of the newest file in `log/`. */
export async function logTail(dataDirectory: string, stderrFile: string): Promise<string> {
  const collected = join(dataDirectory, 'log');
  let newest: { file: string; modified: number } | null = null;
  for (const entry of await readdir(collected).catch(() => [])) {
    const file = join(collected, entry);
    const modified = (await stat(file)).mtimeMs;
    if (newest === null || modified > newest.modified) newest = { file, modified };
  }
  const lines = [...(newest ? await lastLines(newest.file) : []), ...(await lastLines(stderrFile))];
  return lines.filter((line) => line !== '').join('\n') || '(its log is empty)';
}
