import pg from 'pg';
import { expect, it } from 'vitest';
import { parseDsn } from '../../src/target/dsn.ts';
import { openTarget } from '../../src/target/index.ts';
import { testServer } from '../support/servers.ts';
import { tcpFront } from './tcp-front.ts';

const options = { applicationName: 'pgluthier:test', readOnly: true };

async function terminate(dsn: string, pid: number): Promise<void> {
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  await client.query('SELECT pg_terminate_backend($1, 5000)', [pid]);
  await client.end();
}

it('reads sslmode as libpq does', () => {
  const modes = (query: string) =>
    parseDsn(`postgresql://u@db.example.org/x${query}`).transports.map((transport) =>
      transport === false ? 'plain' : transport.rejectUnauthorized === false ? 'unverified' : 'verified',
    );
  expect(modes('')).toEqual(['unverified', 'plain']);
  expect(modes('?sslmode=disable')).toEqual(['plain']);
  expect(modes('?sslmode=allow')).toEqual(['plain', 'unverified']);
  expect(modes('?sslmode=prefer')).toEqual(['unverified', 'plain']);
  expect(modes('?sslmode=require')).toEqual(['unverified']);
  expect(modes('?sslmode=verify-full')).toEqual(['verified']);
  expect(parseDsn('postgresql:///x?host=/run/postgresql').transports).toEqual([false]);
});

it.each([
  ['?sslmode=verify-ca', 'sslrootcert'],
  ['?sslmode=maybe', 'sslmode'],
  ['?sslrootcert=/no/such/file.pem&sslmode=require', '/no/such/file.pem'],
  ['?port=70000', 'port'],
])('says what is wrong with a DSN that ends in %s', (query, word) => {
  let thrown: unknown;
  try {
    parseDsn(`postgresql://u:geheim@db.example.org/x${query}`);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: 'dsn_invalid' });
  expect(String(thrown)).toContain(word);
  expect(String(thrown)).not.toContain('geheim');
});

it('does without TLS where the server has none, unless the DSN asks for it', async () => {
  const front = await tcpFront((await testServer()).dsn());
  const session = await openTarget(front.dsn, options);
  expect(session.encrypted).toBe(false);
  await session.close();
  await expect(openTarget(`${front.dsn}?sslmode=require`, options)).rejects.toMatchObject({
    code: 'target_tls_failed',
  });
  await front.close();
});

it('bears our name, whatever the DSN says', async () => {
  const server = await testServer();
  const dsn = new URL(server.dsn());
  dsn.searchParams.set('application_name', 'somebody else');
  const session = await openTarget(dsn.href, options);
  expect(
    await session.query('SELECT application_name AS name FROM pg_stat_activity WHERE pid = pg_backend_pid()'),
  ).toEqual([{ name: 'pgluthier:test' }]);
  await session.close();
});

it('leaves its mark on every statement, where pg_stat_statements keeps it', async () => {
  const server = await testServer();
  const database = await server.createDatabase({ sql: 'CREATE EXTENSION pg_stat_statements' });
  const session = await openTarget(database.dsn, options);
  await session.query('SELECT 41 + 1 AS answer');
  const rows = await session.query<{ query: string }>(
    `SELECT query FROM public.pg_stat_statements
     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query LIKE '%answer%'`,
  );
  expect(rows[0]?.query).toContain('/* pgluthier */');
  await session.close();
  await database.drop();
});

it('rejects the statement that was running when the session was ended', async () => {
  const server = await testServer();
  const session = await openTarget(server.dsn(), options);
  const sleeping = session.query('SELECT pg_sleep(60)');
  const outcome = expect(sleeping).rejects.toMatchObject({ code: 'target_connection_lost' });
  await terminate(server.dsn(), session.pid);
  await outcome;
  await expect(session.query('SELECT 1')).rejects.toMatchObject({ code: 'target_connection_lost' });
  await session.close();
});

it('notices at the next statement that an idle session was ended', async () => {
  const server = await testServer();
  const session = await openTarget(server.dsn(), options);
  await terminate(server.dsn(), session.pid);
  await expect(session.query('SELECT 1')).rejects.toMatchObject({ code: 'target_connection_lost' });
  await session.close();
});

it('does not wait for ever when the network falls silent', async () => {
  const front = await tcpFront((await testServer()).dsn());
  const session = await openTarget(front.dsn, { ...options, statementTimeoutMs: 200 });
  front.fallSilent();
  await expect(session.query('SELECT 1')).rejects.toMatchObject({
    code: 'target_connection_lost',
    message: expect.stringContaining('no answer within'),
  });
  await session.close();
  await front.close();
});

it('ends a slow statement by the server, and keeps the session', async () => {
  const server = await testServer();
  const session = await openTarget(server.dsn(), { ...options, statementTimeoutMs: 100 });
  await expect(session.query('SELECT pg_sleep(30)')).rejects.toMatchObject({ sqlstate: '57014' });
  expect(await session.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await session.close();
});

it('refuses what would be rounded, by name, in arrays too', async () => {
  const server = await testServer();
  const session = await openTarget(server.dsn(), options);
  await expect(session.query('SELECT 9007199254740993::int8 AS i')).rejects.toMatchObject({
    code: 'target_value_unreadable',
  });
  expect(await session.query('SELECT ARRAY[1, NULL, 3]::int8[] AS list')).toEqual([{ list: [1, null, 3] }]);
  await session.close();
});
