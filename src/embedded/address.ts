/** How a server is reached: ports, passwords, connection strings. */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { createServer } from 'node:net';

/** A port of 127.0.0.1 that nobody listens on at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('a listening socket has no port'));
      });
    });
  });
}

const ITERATIONS = 4096;

/**
 * What PostgreSQL stores for a SCRAM-SHA-256 password: RFC 5803's format, computed as in RFC 5802 section 3. The
 * password must be ASCII (no SASLprep here).
 */
export function scramVerifier(password: string): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  const serverKey = hmac('Server Key').toString('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

/**
 * A database's name as a URL's path. node-postgres decodes it with decodeURI, which leaves %2F and its like as they
 * are: they must stand bare. `?` and `#` cannot, so node-postgres cannot be told of such a database by URL.
 */
function databasePath(database: string): string {
  return encodeURI(database).replaceAll('?', '%3F').replaceAll('#', '%23');
}

/** A URL that node-postgres and libpq read alike; sslmode, lest PGSSLMODE ask for what these servers do not have. */
export function socketDsn(directory: string, port: number, user: string, database: string): string {
  const query = new URLSearchParams({ host: directory, port: String(port), user, sslmode: 'disable' });
  return `postgresql:///${databasePath(database)}?${query.toString()}`;
}

export function tcpDsn(port: number, user: string, password: string, database: string): string {
  return `postgresql://${user}:${password}@127.0.0.1:${port}/${databasePath(database)}?sslmode=disable`;
}
