/**
 * A service that applies several changes at once and is killed, as by kill -9, when all have come to their points:
 * `service-process.ts <file with runs>`. Without a point it works on until somebody else kills it.
 */
import { readFileSync } from 'node:fs';
import { executePlan } from '../../../src/apply/index.ts';
import { openTarget } from '../../../src/target/index.ts';
import { fileJournal } from '../journal.ts';
import { stoppingAt } from './points.ts';
import type { Run } from './round.ts';

const runs = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as (Run & { dsn: string })[];

let arrived = 0;
function arrive(): Promise<void> {
  arrived += 1;
  if (arrived === runs.length) process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
}

await Promise.all(
  runs.map((run) =>
    executePlan(run.plan, {
      dsn: run.dsn,
      apply_id: run.apply_id,
      openSession: openTarget,
      journal: stoppingAt(fileJournal(run.journal), run.point, arrive),
      onProgress: () => {},
    }).then((outcome) => {
      // It ended without ever coming to its point: the test is to see that.
      process.stderr.write(`${run.subject} ended: ${JSON.stringify(outcome)}\n`);
      process.exit(3);
    }),
  ),
);
