/**
 * Room rule. tpch-data/ fills a server with TPC-H's data by clause 4.2 of its specification, in SQL on the server, and
 * compares what came of it with the catalog of a database that the reference generator filled. Draws are hashes of
 * keys: the same data each time. Texts are cut out of a pool of the specification's grammar, as the reference does it.
 */
export { compareWithCatalog } from './compare.ts';
export { fillTpch } from './fill.ts';
