/** A TCP door in front of a test server, to stand for what lies between us and it: a network, or a pooler. */
import { connect, createServer, type Socket } from 'node:net';
import { parseDsn } from '../../src/target/dsn.ts';

export interface TcpFront {
  /** The DSN of this database through the door. */
  dsn: string;
  /** From now on nothing passes in either direction, and nobody is told. */
  fallSilent(): void;
  /** As `fallSilent`, but for the connections there are now alone: new ones pass. */
  silenceOpen(): void;
  /** Breaks all connections, and takes no new ones until `mend`. */
  cut(): void;
  mend(): void;
  /** From now on new connections lead to the server of this DSN: its address moved. */
  leadTo(dsn: string): void;
  close(): Promise<void>;
}

export interface TcpFrontOptions {
  /** Announce this process id instead of the backend's, as poolers do. */
  announcedPid?: number;
  /** As a pooler in session mode that resets nothing: the backend stays, as it was left, when its client goes. */
  keepBackends?: boolean;
  /** As a pooler that refuses in its own words: a statement with this text never reaches the server. */
  refuses?: { text: string; sqlstate: string; message: string };
}

const SSL_REQUEST = 80877103;
const TERMINATE = 'X'.charCodeAt(0);
const BACKEND_KEY_DATA = 'K'.charCodeAt(0);
const READY_FOR_QUERY = 'Z'.charCodeAt(0);
const SYNC = Buffer.from([0x53, 0, 0, 0, 4]);

/** ErrorResponse without the fields that tell a place in the server's source, and ReadyForQuery. */
function refusal({ sqlstate, message }: { sqlstate: string; message: string }): Buffer {
  const fields = Buffer.from(`SERROR\0VERROR\0C${sqlstate}\0M${message}\0\0`);
  const head = Buffer.from([0x45, 0, 0, 0, 0]);
  head.writeUInt32BE(4 + fields.length, 1);
  return Buffer.concat([head, fields, Buffer.from([READY_FOR_QUERY, 0, 0, 0, 5, 0x49])]);
}

/** Replaces the process id in BackendKeyData of the server's first messages. */
function announcing(pid: number, forward: (chunk: Buffer) => void): (chunk: Buffer) => void {
  let held = Buffer.alloc(0);
  let started = false;
  return (chunk) => {
    if (started) return forward(chunk);
    held = Buffer.concat([held, chunk]);
    for (let at = 0; at + 5 <= held.length; ) {
      const length = held.readUInt32BE(at + 1);
      if (at + 1 + length > held.length) return;
      if (held[at] === BACKEND_KEY_DATA) held.writeUInt32BE(pid, at + 5);
      if (held[at] === READY_FOR_QUERY) started = true;
      at += 1 + length;
    }
    forward(held);
    held = Buffer.alloc(0);
  };
}

export async function tcpFront(dsn: string, options: TcpFrontOptions = {}): Promise<TcpFront> {
  const { user, password, database } = parseDsn(dsn);
  const sockets = new Set<Socket>();
  let silent = false;
  let down = false;
  let behind = parseDsn(dsn);
  const silenced = new WeakSet<Socket>();
  const server = createServer((client) => {
    if (down) {
      client.destroy();
      return;
    }
    const { host, port } = behind;
    const upstream = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect({ host, port });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        if (!options.keepBackends || socket === upstream) upstream.destroy();
      });
    }
    let first = true;
    let refused = Buffer.alloc(0);
    client.on('data', (chunk) => {
      const { refuses } = options;
      if (refuses && (refused.length > 0 || chunk.includes(refuses.text))) {
        refused = Buffer.concat([refused, chunk]);
        if (!refused.subarray(-SYNC.length).equals(SYNC)) return;
        refused = Buffer.alloc(0);
        client.write(refusal(refuses));
        return;
      }
      if (silent || silenced.has(client)) return;
      // The server has no TLS: it is answered for here, since a server's socket would not take the question.
      if (first && chunk.length === 8 && chunk.readUInt32BE(4) === SSL_REQUEST) {
        client.write('N');
        return;
      }
      first = false;
      if (options.keepBackends && chunk.length === 5 && chunk[0] === TERMINATE) return client.end();
      upstream.write(chunk);
    });
    const onward = (chunk: Buffer) => {
      if (!silent && !silenced.has(client)) client.write(chunk);
    };
    upstream.on(
      'data',
      options.announcedPid === undefined ? onward : announcing(options.announcedPid, onward),
    );
  });
  const ownPort = await new Promise<number>((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  return {
    dsn: `postgresql://${encodeURIComponent(user ?? '')}${password ? `:${encodeURIComponent(password)}` : ''}@127.0.0.1:${ownPort}/${encodeURIComponent(database ?? '')}`,
    fallSilent() {
      silent = true;
    },
    silenceOpen() {
      for (const socket of sockets) silenced.add(socket);
    },
    cut() {
      down = true;
      for (const socket of sockets) socket.destroy();
    },
    mend() {
      down = false;
    },
    leadTo(other) {
      behind = parseDsn(other);
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
