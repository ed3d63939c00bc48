/** A process that holds a twin, for a test to kill: `twin-process.ts <file with a snapshot>`. */
import { readFile } from 'node:fs/promises';
import type { Snapshot } from '../../src/domain/index.ts';
import { openTwin } from '../../src/whatif/index.ts';

const snapshot = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')) as Snapshot;
const twin = await openTwin(snapshot, {
  inspect: async ({ pid, dataDirectory, socketDirectory }) => {
    process.stdout.write(`${JSON.stringify({ pid, dataDirectory, socketDirectory })}\n`);
  },
});
process.stdout.write(`${JSON.stringify({ engine: twin.engine })}\n`);
setInterval(() => {}, 1000);
