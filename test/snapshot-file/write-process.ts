/** Writes a large snapshot file again and again, until it is killed. */
import { fastPart } from '../../src/domain/index.ts';
import { writeSnapshotFile } from '../../src/snapshot-file/index.ts';
import { tableRow } from '../support/rows.ts';
import { snapshotOf } from '../support/snapshot-builder.ts';

const [path = ''] = process.argv.slice(2);
const snapshot = snapshotOf({
  tables: Array.from({ length: 10_000 }, (_, at) =>
    tableRow({ oid: at + 1, name: `t${at} ${Math.random()}` }),
  ),
});
const header = {
  format: 'pgluthier-snapshot' as const,
  format_version: 1 as const,
  pgluthier_version: '0.1.0',
  written_at: '2026-03-01T12:00:00.000Z',
  target: 'x',
  stripped: null,
};
for (;;) await writeSnapshotFile(path, { header, snapshot, first: fastPart(snapshot) }, { force: true });
