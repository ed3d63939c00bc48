/** `pgluthier export`: everything an analysis needs, in one file. */
import { environmentVariable } from '../config.ts';
import { fastPart } from '../domain/index.ts';
import { resolveDsn } from '../pipeline/index.ts';
import { createProgress } from '../progress.ts';
import { type StripMode, stripLiterals, strippedFacts, writeSnapshotFile } from '../snapshot-file/index.ts';
import { targetAddress } from '../target/index.ts';
import { packageVersion } from '../version.ts';
import { collectOnce, type HostOptions, hostOverrides } from './collect.ts';

export interface ExportOptions extends HostOptions {
  output: string;
  window?: number;
  strip: StripMode;
  force?: boolean;
}

/** Collects, strips if asked to, and writes the file. */
export async function exportSnapshot(given: string, options: ExportOptions): Promise<void> {
  const progress = createProgress();
  try {
    const dsn = await resolveDsn(given, environmentVariable);
    const seen = await collectOnce(dsn, options.window, hostOverrides(options), (message) =>
      progress.show(message),
    );
    const parts = { snapshot: seen.snapshot, first: seen.first && fastPart(seen.first) };
    const stripped = options.strip === 'literals';
    progress.show(`writing ${options.output}`);
    await writeSnapshotFile(
      options.output,
      {
        header: {
          format: 'pgluthier-snapshot',
          format_version: 1,
          pgluthier_version: packageVersion,
          written_at: new Date().toISOString(),
          target: stripped ? `snapshot of ${parts.snapshot.server.database}` : targetAddress(dsn),
          stripped: stripped ? strippedFacts : null,
        },
        ...(stripped ? await stripLiterals(parts.snapshot, parts.first) : parts),
      },
      { force: options.force === true },
    );
  } finally {
    progress.clear();
  }
}
