/** A shop with five gigabytes of tables and what a third of its day sends, between two snapshots, as the service sees it. */
import { seenRuns } from '../built/index.ts';
import { CONNECTIONS, drive, fillShop, shopTemplates, startShopServer } from '../oltp/index.ts';
import type { IndexWorkload } from './index-workload.ts';

const SEEN = { part: 0, of: 3 };

export async function shopWorkload(): Promise<IndexWorkload> {
  const server = await startShopServer();
  try {
    await fillShop(server, 'shop', 1);
    const dsn = server.dsn('shop');
    const [seen] = await seenRuns([dsn], () =>
      drive(dsn, shopTemplates(1), { connections: CONNECTIONS, slice: SEEN, seed: 7 }),
    );
    if (!seen) throw new Error('a run was seen of each database');
    return { name: 'shop', snapshot: seen.snapshot, workload: seen.workload, budgets: null };
  } finally {
    await server.stop('immediate');
  }
}
