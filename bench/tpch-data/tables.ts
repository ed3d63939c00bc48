/** The tables and the statements that fill them. `$1` is the pool of sentences, `$2` that of letters. */
import { sqlDraw as draw, sqlOneOf as oneOf } from '../draws.ts';
import {
  COLOURS,
  CONTAINERS,
  INSTRUCTIONS,
  MODES,
  NATIONS,
  PRIORITIES,
  REGIONS,
  SEGMENTS,
  TYPES,
} from './words.ts';

export const POOL_BYTES = { sentences: 16 * 2 ** 20, letters: 4 * 2 ** 20 };

/** A cut of the pool; lengths from 0.4 to 1.6 times the average, as 4.2.2.10 says. */
const cut = (pool: '$1' | '$2', key: string, stream: number, least: number, most: number) => {
  const bytes = pool === '$1' ? POOL_BYTES.sentences : POOL_BYTES.letters;
  const start = draw(key, stream, bytes - most);
  return `convert_from(substr(${pool}::bytea, (1 + ${start})::int, (${least} + ${draw(key, stream + 1, most - least + 1)})::int), 'UTF8')`;
};
const comment = (key: string, stream: number, least: number, most: number) =>
  cut('$1', key, stream, least, most);
const money = (key: string, stream: number, least: number, most: number) =>
  `(${least} + ${draw(key, stream, most - least + 1)})::numeric / 100`;
const phone = (key: string, nation: string, stream: number) =>
  `(10 + ${nation}) || '-' || (100 + ${draw(key, stream, 900)}) || '-' || (100 + ${draw(key, stream + 1, 900)})
   || '-' || (1000 + ${draw(key, stream + 2, 9000)})`;
const padded = (prefix: string, value: string) => `'${prefix}' || lpad((${value})::text, 9, '0')`;
const CURRENT = `date '1995-06-17'`;

export interface TpchTable {
  name: string;
  ddl: string;
  key: string;
  fill: string;
}

/** Rows by the scale factor, clause 4.2.5. */
function counts(scale: number) {
  return {
    supplier: Math.round(10_000 * scale),
    part: Math.round(200_000 * scale),
    customer: Math.round(150_000 * scale),
    orders: Math.round(1_500_000 * scale),
    clerks: Math.max(1, Math.round(1000 * scale)),
  };
}

/** The suppliers of a part: the n-th of four, by the formula for ps_suppkey. */
const supplierOf = (part: string, n: string, suppliers: number) =>
  `(${part} + ${n} * (${suppliers} / 4 + (${part} - 1) / ${suppliers})) % ${suppliers} + 1`;

/** Nation, region, supplier, part, partsupp, customer: none needs another. */
export function independentTables(scale: number): TpchTable[] {
  const n = counts(scale);
  const nations = NATIONS.map(([name, region], key) => `(${key}::bigint, '${name}', ${region})`).join(', ');
  const regions = REGIONS.map((name, key) => `(${key}::bigint, '${name}')`).join(', ');
  const colours: string[] = [];
  // Five different ones: each is at most 22 places behind the one before, of 92.
  for (let place = 0, at = draw('g', 31, COLOURS.length); place < 5; place += 1) {
    colours.push(oneOf(COLOURS, `(${at}) % ${COLOURS.length}`));
    at = `${at} + 1 + ${draw('g', 32 + place, 22)}`;
  }
  return [
    {
      name: 'region',
      ddl: 'r_regionkey integer NOT NULL, r_name character(25) NOT NULL, r_comment varchar(152)',
      key: 'r_regionkey',
      fill: `SELECT k, name, ${comment('k', 1, 31, 115)} FROM (VALUES ${regions}) r (k, name)`,
    },
    {
      name: 'nation',
      ddl: `n_nationkey integer NOT NULL, n_name character(25) NOT NULL, n_regionkey integer NOT NULL,
        n_comment varchar(152)`,
      key: 'n_nationkey',
      fill: `SELECT k, name, region, ${comment('k', 3, 31, 114)} FROM (VALUES ${nations}) n (k, name, region)`,
    },
    {
      name: 'supplier',
      ddl: `s_suppkey integer NOT NULL, s_name character(25) NOT NULL, s_address varchar(40) NOT NULL,
        s_nationkey integer NOT NULL, s_phone character(15) NOT NULL, s_acctbal numeric(15,2) NOT NULL,
        s_comment varchar(101) NOT NULL`,
      key: 's_suppkey',
      // Five complaints and five recommendations among ten thousand.
      fill: `SELECT g, ${padded('Supplier#', 'g')}, ${cut('$2', 'g', 5, 10, 40)}, nation, ${phone('g', 'nation', 8)},
          ${money('g', 11, -99_999, 999_999)},
          CASE WHEN g % 2000 = 1983 THEN 'Customer ' || left(said, 60) || 'Complaints'
               WHEN g % 2000 = 983 THEN 'Customer ' || left(said, 60) || 'Recommends' ELSE said END
        FROM (SELECT g, ${draw('g', 7, 25)} AS nation, ${comment('g', 12, 25, 100)} AS said
              FROM generate_series(1::bigint, ${n.supplier}) g) s`,
    },
    {
      name: 'part',
      ddl: `p_partkey integer NOT NULL, p_name varchar(55) NOT NULL, p_mfgr character(25) NOT NULL,
        p_brand character(10) NOT NULL, p_type varchar(25) NOT NULL, p_size integer NOT NULL,
        p_container character(10) NOT NULL, p_retailprice numeric(15,2) NOT NULL, p_comment varchar(23) NOT NULL`,
      key: 'p_partkey',
      fill: `SELECT g, concat_ws(' ', ${colours.join(', ')}), 'Manufacturer#' || maker, 'Brand#' || maker || 1 + ${draw('g', 41, 5)},
          ${TYPES.map((words, at) => oneOf(words, draw('g', 42 + at, words.length))).join(` || ' ' || `)},
          1 + ${draw('g', 45, 50)},
          ${CONTAINERS.map((words, at) => oneOf(words, draw('g', 46 + at, words.length))).join(` || ' ' || `)},
          (90000 + (g / 10) % 20001 + 100 * (g % 1000))::numeric / 100, ${comment('g', 48, 5, 22)}
        FROM (SELECT g, 1 + ${draw('g', 40, 5)} AS maker FROM generate_series(1::bigint, ${n.part}) g) p`,
    },
    {
      name: 'partsupp',
      ddl: `ps_partkey integer NOT NULL, ps_suppkey integer NOT NULL, ps_availqty integer NOT NULL,
        ps_supplycost numeric(15,2) NOT NULL, ps_comment varchar(199) NOT NULL`,
      key: 'ps_partkey, ps_suppkey',
      fill: `SELECT g, ${supplierOf('g', 'i', n.supplier)}, 1 + ${draw('g * 4 + i', 51, 9999)},
          ${money('g * 4 + i', 52, 100, 100_000)}, ${comment('g * 4 + i', 53, 49, 198)}
        FROM (SELECT g, i FROM generate_series(1::bigint, ${n.part}) g, generate_series(0, 3) i ORDER BY g, i) ps`,
    },
    {
      name: 'customer',
      ddl: `c_custkey integer NOT NULL, c_name varchar(25) NOT NULL, c_address varchar(40) NOT NULL,
        c_nationkey integer NOT NULL, c_phone character(15) NOT NULL, c_acctbal numeric(15,2) NOT NULL,
        c_mktsegment character(10) NOT NULL, c_comment varchar(117) NOT NULL`,
      key: 'c_custkey',
      fill: `SELECT g, ${padded('Customer#', 'g')}, ${cut('$2', 'g', 61, 10, 40)}, nation, ${phone('g', 'nation', 63)},
          ${money('g', 66, -99_999, 999_999)}, ${oneOf(SEGMENTS, draw('g', 67, 5))}, ${comment('g', 68, 29, 116)}
        FROM (SELECT g, ${draw('g', 60, 25)} AS nation FROM generate_series(1::bigint, ${n.customer}) g) c`,
    },
  ];
}

/** Days from 1992-01-01 to the last order date, 1998-12-31 less 151 days. */
const orderDate = (order: string) => `date '1992-01-01' + ${draw(order, 70, 2406)}::int`;

/** Lineitem and then orders, whose status and total come of their lines. */
export function orderTables(scale: number): TpchTable[] {
  const n = counts(scale);
  const customers = n.customer - (n.customer % 3 === 0 ? 1 : 0);
  return [
    {
      name: 'lineitem',
      ddl: `l_orderkey integer NOT NULL, l_partkey integer NOT NULL, l_suppkey integer NOT NULL,
        l_linenumber integer NOT NULL, l_quantity numeric(15,2) NOT NULL, l_extendedprice numeric(15,2) NOT NULL,
        l_discount numeric(15,2) NOT NULL, l_tax numeric(15,2) NOT NULL, l_returnflag character(1) NOT NULL,
        l_linestatus character(1) NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL,
        l_receiptdate date NOT NULL, l_shipinstruct character(25) NOT NULL, l_shipmode character(10) NOT NULL,
        l_comment varchar(44) NOT NULL`,
      key: 'l_orderkey, l_linenumber',
      // Eight of 32 keys are taken. OFFSET 0: what is drawn is drawn once.
      fill: `SELECT orderkey, part, ${supplierOf('part', 'nth', n.supplier)}, line, quantity,
          quantity * (90000 + (part / 10) % 20001 + 100 * (part % 1000))::numeric / 100,
          ${draw('k', 76, 11)}::numeric / 100, ${draw('k', 77, 9)}::numeric / 100,
          CASE WHEN shipped + received > ${CURRENT} THEN 'N' ELSE ${oneOf(['R', 'A'], draw('k', 78, 2))} END,
          CASE WHEN shipped > ${CURRENT} THEN 'O' ELSE 'F' END,
          shipped, ordered + 30 + ${draw('k', 79, 61)}::int, shipped + received,
          ${oneOf(INSTRUCTIONS, draw('k', 80, 4))}, ${oneOf(MODES, draw('k', 81, 7))}, ${comment('k', 82, 10, 43)}
        FROM (SELECT orderkey, line, k, ordered, 1 + ${draw('k', 72, n.part)} AS part, ${draw('k', 73, 4)} AS nth,
                1 + ${draw('k', 74, 50)} AS quantity, ordered + 1 + ${draw('k', 75, 121)}::int AS shipped,
                1 + ${draw('k', 84, 30)}::int AS received
              FROM (SELECT orderkey, line, orderkey * 8 + line AS k, ordered
                    FROM (SELECT (i >> 3 << 5) | (i & 7) AS orderkey FROM generate_series(1::bigint, ${n.orders}) i
                         ) keys,
                      LATERAL (SELECT ${orderDate('orderkey')} AS ordered OFFSET 0) o,
                      LATERAL generate_series(1, (1 + ${draw('orderkey', 71, 7)})::int) line OFFSET 0) lines
              OFFSET 0) l`,
    },
    {
      name: 'orders',
      ddl: `o_orderkey integer NOT NULL, o_custkey integer NOT NULL, o_orderstatus character(1) NOT NULL,
        o_totalprice numeric(15,2) NOT NULL, o_orderdate date NOT NULL, o_orderpriority character(15) NOT NULL,
        o_clerk character(15) NOT NULL, o_shippriority integer NOT NULL, o_comment varchar(79) NOT NULL`,
      key: 'o_orderkey',
      // A third of the customers, those whose key 3 divides, has no orders.
      fill: `SELECT k, CASE WHEN customer % 3 = 0 THEN customer + 1 ELSE customer END,
          CASE WHEN open = 0 THEN 'F' WHEN open = lines THEN 'O' ELSE 'P' END, total, ${orderDate('k')},
          ${oneOf(PRIORITIES, draw('k', 91, 5))}, ${padded('Clerk#', `1 + ${draw('k', 92, n.clerks)}`)}, 0,
          ${comment('k', 93, 19, 78)}
        FROM (SELECT l_orderkey::bigint AS k, 1 + ${draw('l_orderkey', 90, customers)} AS customer, count(*) AS lines,
                count(*) FILTER (WHERE l_linestatus = 'O') AS open,
                sum(l_extendedprice * (1 + l_tax) * (1 - l_discount)) AS total
              FROM lineitem GROUP BY l_orderkey) o ORDER BY k`,
    },
  ];
}
