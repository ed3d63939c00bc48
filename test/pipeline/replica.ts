/** A replica of the service without its jobs and its HTTP: what the use-cases work with, over a store that others share. */
import { pino } from 'pino';
import { BackgroundWork, type Services } from '../../src/pipeline/index.ts';
import { openStore } from '../../src/store/index.ts';

export async function replica(
  storeDsn: string,
  secretKey: Buffer,
  options: { targetDsn: string; now?: () => Date },
): Promise<{ services: Services; close(): Promise<void> }> {
  const store = await openStore({ dsn: storeDsn, secretKey, poolSize: 4 });
  const services: Services = {
    store,
    logger: pino({ level: 'silent' }),
    rules: [],
    now: options.now ?? (() => new Date()),
    environmentVariable: () => options.targetDsn,
    twin: { postgres_directories: [], fetch_postgres: false },
    background: new BackgroundWork(),
  };
  return {
    services,
    close: async () => {
      await services.background.stop();
      await store.close();
    },
  };
}
