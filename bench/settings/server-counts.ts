/** What the server counts of its own work: temporary files and WAL. */
import pg from 'pg';

export interface ServerCounts {
  temp_bytes: number;
  wal_bytes: number;
  /** Pages that were written into WAL whole. */
  wal_pages: number;
}

/** Of all that ran to its end: sessions hand over what they counted when they end. */
export async function serverCounts(dsn: string): Promise<ServerCounts> {
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  try {
    const { rows } = await client.query<Record<keyof ServerCounts, string>>(
      `SELECT (SELECT sum(temp_bytes) FROM pg_stat_database) AS temp_bytes, wal_bytes, wal_fpi AS wal_pages FROM pg_stat_wal`,
    );
    const [row] = rows;
    return {
      temp_bytes: Number(row?.temp_bytes),
      wal_bytes: Number(row?.wal_bytes),
      wal_pages: Number(row?.wal_pages),
    };
  } finally {
    await client.end();
  }
}
