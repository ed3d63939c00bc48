import { createHash } from 'node:crypto';
import { pino } from 'pino';
import { loadRules } from '../../src/advise/index.ts';
import { createApp } from '../../src/api/index.ts';
import type { TokenScope } from '../../src/api/scopes.ts';
import { BackgroundWork, type Services } from '../../src/pipeline/index.ts';
import { openStore } from '../../src/store/index.ts';
import { type FreshStore, freshStore } from '../store/fixtures.ts';

export const TOKEN = 'a-token-for-tests-only';

export interface TestService {
  services: Services;
  /** Asks the app in this process; the body is JSON. */
  ask(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }>;
  /** Another replica over the same store; it ends before the first. */
  replica(): Promise<TestService>;
  /** The whole text of a stream, once it has ended. */
  stream(path: string, headers?: Record<string, string>): Promise<string>;
  close(): Promise<void>;
}

/** The real app over a real store, without a socket. */
export async function testService(
  environment: Record<string, string> = {},
  tokens: Record<string, TokenScope[]> = {},
): Promise<TestService> {
  const { store, close, dsn, secretKey } = await freshStore();
  return serviceOver({ store, close, dsn, secretKey }, environment, tokens);
}

async function serviceOver(
  { store, close, dsn, secretKey }: Pick<FreshStore, 'store' | 'close' | 'dsn' | 'secretKey'>,
  environment: Record<string, string>,
  tokens: Record<string, TokenScope[]>,
): Promise<TestService> {
  const services: Services = {
    store,
    logger: pino({ level: 'silent' }),
    rules: await loadRules(),
    now: () => new Date(),
    environmentVariable: (name) => environment[name],
    twin: { postgres_directories: [], fetch_postgres: false },
    background: new BackgroundWork(),
  };
  const app = createApp({
    services,
    token_hash: createHash('sha256').update(TOKEN).digest(),
    version: '0.0.0',
    // A token is its bearer's name.
    tokens: Object.entries(tokens).map(([name, scopes]) => ({
      name,
      scopes,
      hash: createHash('sha256').update(name).digest(),
    })),
  });
  return {
    services,
    ask: async (method, path, body, headers = { authorization: `Bearer ${TOKEN}` }) => {
      const response = await app.request(path, {
        method,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      return {
        status: response.status,
        body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
        headers: response.headers,
      };
    },
    stream: async (path, headers = {}) => {
      const response = await app.request(path, {
        headers: { authorization: `Bearer ${TOKEN}`, ...headers },
      });
      return response.text();
    },
    replica: async () => {
      const another = await openStore({ dsn, secretKey, poolSize: 5 });
      const over = { store: another, close: () => another.close(), dsn, secretKey };
      return serviceOver(over, environment, tokens);
    },
    close: async () => {
      await services.background.stop();
      await close();
    },
  };
}
