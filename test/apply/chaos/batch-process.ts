/**
 * A service that writes a batch of settings, or recovers one, and kills itself, as by kill -9, at a call of its journals:
 * `batch-process.ts <file with a BatchRun> <act>`. Without a point on its way it ends by itself.
 */
import { readFileSync } from 'node:fs';
import { type BatchRun, performBatch } from './batch.ts';
import type { Act } from './kill.ts';

const run = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as BatchRun;
await performBatch(process.argv[3] as Act, run, () => {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
});
