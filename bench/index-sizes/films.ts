/**
 * A database of films in the shape of the Join Order Benchmark's: keys that repeat very unevenly, titles of which some
 * are common, and columns whose nulls and widths depend on what kind of fact a row is. Primary keys only.
 */
const count = (mean: number, spread: number, most: number) =>
  `least(${most}, ceil(exp(${spread} * sqrt(-2 * ln(1 - random())) * cos(6.2831853 * random()) + ${mean})))::int`;

/** @param films rows of `title`; the others follow. */
export const filmsSql = (films: number) => `SELECT setseed(0.42);
  CREATE TABLE title (id int PRIMARY KEY, title text NOT NULL, kind_id int NOT NULL, production_year int, episode_of_id int);
  INSERT INTO title SELECT g,
    CASE WHEN random() < 0.35 THEN 'Episode ' || floor(3000 ^ random()) ELSE initcap(substr(md5(g::text), 1, 6 + g % 9)) || ' of ' || md5((g * 3)::text) END,
    1 + floor(random() ^ 2 * 7)::int, CASE WHEN random() < 0.95 THEN 2020 - floor(random() ^ 2 * 100)::int END,
    CASE WHEN random() < 0.3 THEN 1 + floor(${films}::float8 ^ random())::int END FROM generate_series(1, ${films}) g;
  CREATE TEMP TABLE shape AS SELECT g AS film, ${count(0.9, 1.3, 1500)} facts, ${count(0.3, 1.4, 1000)} keywords,
    ${count(1.6, 1.1, 1500)} played, ${count(0.1, 0.8, 50)} companies FROM generate_series(1, ${films}) g;
  CREATE TABLE movie_info (id int PRIMARY KEY, movie_id int NOT NULL, info_type_id int NOT NULL, info text NOT NULL, note text);
  INSERT INTO movie_info SELECT row_number() OVER (), film, kind,
    CASE WHEN kind <= 2 THEN repeat(md5(random()::text), 1 + film % 4) ELSE 'fact ' || floor(4000 ^ random()) END,
    CASE WHEN random() < 0.15 THEN 'note ' || floor(2000 ^ random()) END
    FROM (SELECT film, 1 + floor(random() * 30)::int kind FROM shape, generate_series(1, facts) ORDER BY random()) x;
  CREATE TABLE movie_keyword (id int PRIMARY KEY, movie_id int NOT NULL, keyword_id int NOT NULL);
  INSERT INTO movie_keyword SELECT row_number() OVER (), film, 1 + floor(40000 ^ random())::int
    FROM (SELECT film FROM shape, generate_series(1, keywords) ORDER BY random()) x;
  CREATE TABLE cast_info (id int PRIMARY KEY, person_id int NOT NULL, movie_id int NOT NULL, role_id int NOT NULL, note text);
  INSERT INTO cast_info SELECT row_number() OVER (), 1 + floor(random() ^ 3 * ${2 * films})::int, film,
    1 + floor(random() ^ 2 * 11)::int, CASE WHEN random() < 0.4 THEN '(' || floor(5000 ^ random()) || ' voice)' END
    FROM (SELECT film FROM shape, generate_series(1, played) ORDER BY random()) x;
  CREATE TABLE name (id int PRIMARY KEY, name text NOT NULL, gender text);
  INSERT INTO name SELECT g, initcap(substr(md5((floor(20000 ^ random()))::text), 1, 8)) || ', ' || initcap(substr(md5((g % 977)::text), 1, 5)),
    CASE WHEN random() < 0.6 THEN 'm' WHEN random() < 0.6 THEN 'f' END FROM generate_series(1, ${2 * films}) g;
  CREATE TABLE person_info (id int PRIMARY KEY, person_id int NOT NULL, info_type_id int NOT NULL, info text NOT NULL, note text);
  INSERT INTO person_info SELECT g, 1 + floor(random() ^ 2 * ${2 * films})::int, kind,
    CASE WHEN kind <= 3 THEN repeat(md5(g::text), 2 + g % 5) ELSE (150 + g % 60) || ' cm' END,
    CASE WHEN kind <= 3 THEN 'Written by ' || floor(5000 ^ random()) || ' and others' END
    FROM (SELECT g, 1 + floor(random() * 20)::int kind FROM generate_series(1, ${2 * films}) g) x;
  CREATE TABLE company_name (id int PRIMARY KEY, name text NOT NULL, country_code text);
  INSERT INTO company_name SELECT g, 'Company ' || md5(g::text), '[' || (ARRAY['us','gb','de','fr','jp','in'])[1 + floor(random() ^ 2 * 6)::int] || ']'
    FROM generate_series(1, 20000) g;
  CREATE TABLE movie_companies (id int PRIMARY KEY, movie_id int NOT NULL, company_id int NOT NULL, company_type_id int NOT NULL, note text);
  INSERT INTO movie_companies SELECT row_number() OVER (), film, 1 + floor(19999 ^ random())::int, 1 + (random() * 3)::int,
    CASE WHEN random() < 0.45 THEN NULL WHEN random() < 0.55 THEN '(' || (1950 + film % 60) || ') (USA) (TV)'
      ELSE '(' || (1950 + film % 60) || ') (worldwide) (DVD) (distributor ' || floor(3000 ^ random()) || ')' END
    FROM (SELECT film FROM shape, generate_series(1, companies) ORDER BY random()) x;`;

/** Joins as the benchmark has them: a few conditions, a few tables around one film or person. */
export const FILM_STATEMENTS: readonly string[] = [
  `SELECT min(t.title) FROM title t, movie_keyword mk WHERE mk.movie_id = t.id AND mk.keyword_id = 117 AND t.production_year > 2005`,
  `SELECT min(t.title), min(mi.info) FROM title t, movie_info mi, movie_keyword mk WHERE mi.movie_id = t.id AND mk.movie_id = t.id AND mk.keyword_id = 4711 AND mi.info_type_id = 5`,
  `SELECT min(n.name) FROM name n, cast_info ci, title t WHERE ci.person_id = n.id AND ci.movie_id = t.id AND t.title = 'Episode 17'`,
  `SELECT min(n.name) FROM name n, cast_info ci, movie_keyword mk WHERE ci.person_id = n.id AND ci.movie_id = mk.movie_id AND mk.keyword_id = 2301 AND n.gender = 'f'`,
  `SELECT min(pi.info), min(pi.note) FROM person_info pi, name n WHERE pi.person_id = n.id AND pi.note IS NOT NULL AND pi.info_type_id = 2 AND n.name LIKE 'A%'`,
  `SELECT min(pi.info), min(pi.note) FROM person_info pi, cast_info ci WHERE pi.person_id = ci.person_id AND pi.note IS NOT NULL AND ci.movie_id = 812 AND pi.info_type_id = 3`,
  `SELECT min(cn.name), min(mc.note) FROM company_name cn, movie_companies mc, title t WHERE mc.company_id = cn.id AND mc.movie_id = t.id AND mc.note NOT LIKE '%(USA)%' AND cn.country_code = '[de]' AND t.production_year > 2010`,
  `SELECT min(mc.note) FROM movie_companies mc, movie_info mi WHERE mc.movie_id = mi.movie_id AND mi.info = 'fact 3700' AND mc.company_type_id = 2`,
  `SELECT min(t.title) FROM title t WHERE t.title = 'Episode 42'`,
  `SELECT min(t.title), min(e.title) FROM title t, title e WHERE e.episode_of_id = t.id AND t.title LIKE 'Abc%'`,
  `SELECT count(*) FROM movie_info mi WHERE mi.info = 'fact 12' AND mi.note IS NOT NULL`,
  `SELECT min(ci.note) FROM cast_info ci, title t WHERE ci.movie_id = t.id AND ci.note = '(3000 voice)' AND t.production_year = 1999`,
  `SELECT min(n.name) FROM name n, person_info pi WHERE n.id = pi.person_id AND pi.note = 'Written by 12 and others'`,
  `SELECT min(mi.info) FROM movie_info mi, movie_companies mc, company_name cn WHERE mi.movie_id = mc.movie_id AND mc.company_id = cn.id AND cn.name = 'Company abc' AND mi.info_type_id = 9`,
];
