/** Paths of what the run's own process has compiled (`program.ts`). */
import { join } from 'node:path';
import { inject } from 'vitest';
import type { PoolAnswer } from './pool.ts';

/** @param path from the project's folder, without its ending: `src/main`, `test/apply/crash-process`. */
export async function compiled(path: string): Promise<string> {
  const response = await fetch(new URL('program', inject('serverPool')));
  const answer = (await response.json()) as PoolAnswer;
  if (!('folder' in answer)) throw new Error(`The program was not compiled: ${JSON.stringify(answer)}`);
  return join(answer.folder, `${path}.js`);
}
