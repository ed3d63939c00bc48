/** TPC-H's statements that are judged, as files. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Not judged: see the README beside the data. */
const LEFT_OUT = new Set(['02.sql', '15.sql', '17.sql', '20.sql']);

export interface QueryFile {
  name: string;
  text: string;
}

/** The 18 judged statements below `queries/`, by name. */
export async function judgedQueries(directory: string): Promise<QueryFile[]> {
  const folder = join(directory, 'queries');
  const names = (await readdir(folder)).filter((name) => !LEFT_OUT.has(name)).sort();
  return Promise.all(names.map(async (name) => ({ name, text: await readFile(join(folder, name), 'utf8') })));
}
