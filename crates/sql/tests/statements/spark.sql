-- Statements with the rows that Spark 4.3 gives, ANSI off: tests/spark.py asks it again.
SELECT id FROM t WHERE NOT (n > 0) ORDER BY id
> b

SELECT id, n IN (7, null), n NOT IN (7) FROM t ORDER BY id
> null | null | null
> a | true | false
> b | null | true

SELECT id, tags = array('vip', 'new', 'vip') FROM t ORDER BY id
> null | null
> a | true
> b | false

SELECT count(DISTINCT tags), count(DISTINCT person) FROM t
> 2 | 2

SELECT person, count(*) FROM t GROUP BY person ORDER BY person.`order`
> null | 1
> {Name: {firstName: Ann, lastName: Brown}, order: first} | 1
> {Name: null, order: second} | 1

SELECT sum(n), sum(x), avg(n), min(at), max(born), min(id) FROM t
> 5 | 2.5 | 2.5 | 2018-10-25 22:30:05.250 | 1999-12-31 | a

SELECT sum(n), count(*), collect_list(n) FROM t WHERE n > 1000
> null | 0 | []

SELECT id, CASE WHEN n > 0 THEN n ELSE 'none' END FROM t ORDER BY id
> null | none
> a | 7
> b | none

SELECT coalesce(id, n), coalesce(n, 'x') FROM t ORDER BY n
> null | x
> b | -2
> a | 7

SELECT concat(tags, array('z')) FROM t ORDER BY id
> null
> [vip, new, vip, z]
> [z]

SELECT id, items.priceTotal[0], items[0].priceTotal, items.sku[1] FROM t ORDER BY id
> null | null | null | null
> a | 10.5 | 10.5 | s2
> b | null | null | null

SELECT element_at(ids, 'ECID')[0].id, element_at(ids['ECID'], 1).id FROM t ORDER BY id
> null | null
> e1 | e1
> null | null

SELECT id, size(ids['ECID']), size(ids['none']) FROM t ORDER BY id
> null | -1 | -1
> a | 2 | -1
> b | -1 | -1

SELECT key, value FROM (SELECT explode(ids) FROM t) ORDER BY key
> ECID | [{id: e1, primary: true}, {id: e2, primary: null}]
> Email | [{id: a@x, primary: null}]

SELECT pos, value.id FROM (SELECT posexplode(ids) FROM t) AS q(pos, key, value) ORDER BY pos
> 0 | [e1, e2]
> 1 | [a@x]

SELECT id, c.* FROM t LATERAL VIEW explode(items) x AS c ORDER BY c.sku
> a | s1 | 10.5 | 2
> a | s2 | 4.0 | null

SELECT a.id, b.id FROM t a FULL OUTER JOIN t b ON a.n = b.n + 9 ORDER BY a.id, b.id
> null | null
> null | null
> null | a
> a | b
> b | null

SELECT a.id, b.id FROM t a LEFT JOIN t b ON a.n > b.n ORDER BY a.id
> null | null
> a | b
> b | null

SELECT id FROM t WHERE n > (SELECT avg(n) FROM t)
> a

SELECT id FROM t WHERE id IN (SELECT id FROM t WHERE n > 0)
> a

SELECT id FROM t WHERE id NOT IN (SELECT id FROM t WHERE n > 0)
> b

SELECT word FROM words WHERE k NOT IN (SELECT n FROM t WHERE n IS NOT NULL) ORDER BY word
> null
>  3 
> 01
> 1
> 2.9
> abc

SELECT k, sum(k) OVER (ORDER BY k ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) s FROM words WHERE k IS NOT NULL ORDER BY k, s
> 1 | 1
> 1 | 2
> 2 | 4
> 3 | 7
> 3 | 10
> 4 | 14

SELECT k, sum(k) OVER (ORDER BY k) s, count(*) OVER (PARTITION BY k) c FROM words ORDER BY k, s
> null | null | 1
> 1 | 2 | 2
> 1 | 2 | 2
> 2 | 4 | 1
> 3 | 10 | 2
> 3 | 10 | 2
> 4 | 14 | 1

SELECT k, first_value(word) OVER (PARTITION BY k ORDER BY word) f, last_value(word) OVER (PARTITION BY k ORDER BY word) l FROM words ORDER BY k, f, l
> null |  | 
> 1 | 01 | 01
> 1 | 01 | 1
> 2 | 2.9 | 2.9
> 3 |  3  |  3 
> 3 |  3  | abc
> 4 | null | null

SELECT k, lead(word, 1, 'none') OVER (ORDER BY k, word) l, ntile(2) OVER (ORDER BY k, word) t FROM words ORDER BY k, l
> null | 01 | 1
> 1 | 1 | 1
> 1 | 2.9 | 1
> 2 |  3  | 1
> 3 | null | 2
> 3 | abc | 2
> 4 | none | 2

SELECT dense_rank() OVER (ORDER BY k) d, percent_rank() OVER (ORDER BY k) p FROM words ORDER BY d
> 1 | 0.0
> 2 | 0.16666666666666666
> 2 | 0.16666666666666666
> 3 | 0.5
> 4 | 0.6666666666666666
> 4 | 0.6666666666666666
> 5 | 1.0

SELECT k, count(*) c FROM words GROUP BY k HAVING count(*) > 1 ORDER BY c DESC, k
> 1 | 2
> 3 | 2

SELECT k, word, count(*) FROM words GROUP BY CUBE (k, word) ORDER BY k, word, 3
> null | null | 1
> null | null | 1
> null | null | 7
> null |  | 1
> null |  | 1
> null |  3  | 1
> null | 01 | 1
> null | 1 | 1
> null | 2.9 | 1
> null | abc | 1
> 1 | null | 2
> 1 | 01 | 1
> 1 | 1 | 1
> 2 | null | 1
> 2 | 2.9 | 1
> 3 | null | 2
> 3 |  3  | 1
> 3 | abc | 1
> 4 | null | 1
> 4 | null | 1

SELECT k, count(*) FROM words GROUP BY k WITH ROLLUP ORDER BY k, 2
> null | 1
> null | 7
> 1 | 2
> 2 | 1
> 3 | 2
> 4 | 1

SELECT k, word FROM words GROUP BY GROUPING SETS ((k), (word)) ORDER BY k, word
> null | null
> null | null
> null | 
> null |  3 
> null | 01
> null | 1
> null | 2.9
> null | abc
> 1 | null
> 2 | null
> 3 | null
> 4 | null

SELECT DISTINCT k FROM words ORDER BY k DESC
> 4
> 3
> 2
> 1
> null

SELECT k FROM words UNION SELECT word FROM words ORDER BY k
> null
> 
>  3 
> 01
> 1
> 2
> 2.9
> 3
> 4
> abc

SELECT 1 AS a UNION ALL SELECT 'x' ORDER BY a
> 1
> x

SELECT 1 AS a UNION ALL SELECT 2.5 ORDER BY a
> 1.0
> 2.5

SELECT k FROM words INTERSECT SELECT 3
> 3

SELECT cast('2018-10-25' AS timestamp), cast('2018-10-25 1:2' AS timestamp), cast('abc' AS timestamp), cast('2018-10' AS date), cast(' 2018-10-25 ' AS date)
> 2018-10-25 00:00:00 | 2018-10-25 01:02:00 | null | 2018-10-01 | 2018-10-25

SELECT cast('TRUE' AS boolean), cast('t' AS boolean), cast('on' AS boolean), cast('1' AS boolean), cast(2 AS boolean), cast('no' AS boolean)
> true | true | null | true | true | false

SELECT cast(1e-5 AS double)::string, cast(123456789.123 AS double)::string, cast(1e7 AS double)::string, cast(0.1 AS float)::string
> 1.0E-5 | 1.23456789123E8 | 1.0E7 | 0.1

SELECT cast(1.5 AS float) + 1, cast(3 AS smallint) * 2
> 2.5 | 6

SELECT cast(at AS double), cast(at AS int), cast(1.5 AS timestamp), cast(-1 AS timestamp) FROM t WHERE id = 'a'
> 1540506605.25 | 1540506605 | 1970-01-01 00:00:01.500 | 1969-12-31 23:59:59

SELECT cast(9223372036854775807 AS int), cast(-129 AS tinyint), cast(40000 AS smallint), cast(cast('NaN' AS double) AS int)
> -1 | 127 | -25536 | 0

SELECT 'a' || 1 || true, concat('a', 1, born) FROM t WHERE id = 'a'
> a1true | a11980-02-29

SELECT 5 % 0, 5.5 % 2, mod(5, -3), -5 % 3, 5 / 2, 4 / 2, 0 / 0
> null | 1.5 | 2 | -2 | 2.5 | 2.0 | null

SELECT n + '1', n * x, -n, n - x, +n FROM t ORDER BY id
> null | null | null | null | null
> 8.0 | 17.5 | -7 | 4.5 | 7
> -1.0 | -0.0 | 2 | -2.0 | -2

SELECT 1 = '1', 1 = '1.0', 1 = 'a', 1.5 > '1', true = 'yes', 'a' < 'B'
> true | true | null | true | true | false

SELECT null = null, null <=> null, null AND false, null OR true, NOT null
> null | true | false | true | null

SELECT id, x = 0, x > n, x <> n FROM t ORDER BY id
> null | null | null | null
> a | false | false | true
> b | true | true | true

SELECT date_add('2018-10-25', 1), date_sub('2018-10-25 10:00:00', 1), datediff('2018-10-25', '2018-10-20'), add_months('2018-01-31', 1), add_months('2018-02-28', 1)
> 2018-10-26 | 2018-10-24 | 5 | 2018-02-28 | 2018-03-28

SELECT date_trunc('DAY', at), date_trunc('MON', at), date_trunc('year', at), date_trunc('minute', at), trunc('2018-10-25', 'week'), trunc('2018-10-25', 'day') FROM t WHERE id = 'a'
> 2018-10-25 00:00:00 | 2018-10-01 00:00:00 | 2018-01-01 00:00:00 | 2018-10-25 22:30:00 | 2018-10-22 | null

SELECT to_timestamp('2018-10-25T10:11:12.123Z'), to_timestamp('2018-10-25T10:11:12+02:00'), to_timestamp('2018-10-25 10:11:12 Europe/Berlin'), to_timestamp(0)
> 2018-10-25 10:11:12.123 | 2018-10-25 08:11:12 | 2018-10-25 08:11:12 | 1970-01-01 00:00:00

SELECT unix_timestamp('2018-10-25', 'yyyy-MM-dd'), from_unixtime(1540463528), from_unixtime(0, 'yyyy'), unix_timestamp('x')
> 1540425600 | 2018-10-25 10:32:08 | 1970 | null

SELECT from_utc_timestamp('2018-03-25 01:30:00', 'Europe/Berlin'), to_utc_timestamp('2018-03-25 02:30:00', 'Europe/Berlin'), to_utc_timestamp('2018-10-28 02:30:00', 'Europe/Berlin'), from_utc_timestamp('2018-10-25', 'PST'), from_utc_timestamp('2018-10-25', 'EST')
> 2018-03-25 03:30:00 | 2018-03-25 01:30:00 | 2018-10-28 00:30:00 | 2018-10-24 17:00:00 | 2018-10-24 19:00:00

SELECT year('2018-10-25'), hour('2018-10-25 10:11:12'), dayofweek('2018-10-28'), weekofyear('2018-01-01'), quarter('2018-02-01'), last_day('2018-02-01')
> 2018 | 10 | 1 | 1 | 1 | 2018-02-28

SELECT at + INTERVAL 1 MONTH, at - INTERVAL 90 MINUTES, at + INTERVAL '1' YEAR FROM t ORDER BY id
> null | null | null
> 2018-11-25 22:30:05.250 | 2018-10-25 21:00:05.250 | 2019-10-25 22:30:05.250
> 2019-01-31 23:59:59 | 2018-12-31 22:29:59 | 2019-12-31 23:59:59

SELECT substring('hello', 0), substring('hello', 1, 0), substring('hello', -2, 5), substring('hello', 2, -1), substring(12345, 2, 2)
> hello |  | lo |  | 23

SELECT split('a,b,,c,,', ','), split('', ','), split('abc', ''), split('a.b', '[.]'), split('a,b', ',', -1), split('a,b', ',', 1)
> [a, b, , c, , ] | [] | [a, b, c] | [a, b] | [a, b] | [a,b]

SELECT regexp_replace('abc', 'b', '$0$0'), regexp_replace('aaa', 'a', 'b'), regexp_extract('a1b2', '([a-z])([0-9])', 0), regexp_extract_all('a1b2', '([a-z])([0-9])', 2), regexp_count('aXbXc', 'X')
> abbc | bbb | a1 | [1, 2] | 2

SELECT 'abc' LIKE 'a%', 'abc' LIKE '_b_', 'ABC' LIKE 'abc', 'ABC' ILIKE 'abc', 'a%c' LIKE 'a\%c', null LIKE 'a'
> true | true | false | true | true | null

SELECT instr('abcabc', 'c'), locate('c', 'abcabc'), position('z' IN 'abc'), replace('abc', '', 'x'), reverse('größe'), repeat('a', 0), lpad('abc', 2, 'x'), rpad('abc', 5, 'xy')
> 3 | 3 | 0 | abc | eßörg |  | ab | abcxy

SELECT array_max(array(1, null, 3)), array_min(array()), array_join(array('a', null, 'b'), ','), array_join(array('a', null), ',', '?'), array_position(array(1, 2), 3), slice(array(1, 2, 3), -2, 5), slice(array(1, 2, 3), 5, 1)
> 3 | null | a,b | a,? | 0 | [2, 3] | []

SELECT filter(array(5, 6, 7), (x, i) -> i > 0), transform(map_keys(scores), k -> scores[k]), transform(ids['ECID'], i -> i.id) FROM t ORDER BY id
> [6, 7] | null | null
> [6, 7] | [1, 2] | [e1, e2]
> [6, 7] | [] | null

SELECT named_struct('a', n, 'b', struct(x, id)).b.id FROM t ORDER BY id
> null
> a
> b

SELECT s.y, s.n FROM (SELECT struct(n, x AS y) s FROM t) ORDER BY s.n
> null | null
> 0.0 | -2
> 2.5 | 7

SELECT if(null, 1, 2), if(n > 0, 'a', null), nullif(1, '1'), nvl2(null, 1, 2), ifnull(null, 3), isnotnull(1), nvl(id, n) FROM t ORDER BY id
> 2 | null | null | 2 | 3 | true | null
> 2 | a | null | 2 | 3 | true | a
> 2 | null | null | 2 | 3 | true | b

SELECT sum(DISTINCT k), count(DISTINCT word), avg(DISTINCT k) FROM words
> 10 | 6 | 2.5

SELECT max(word), min(word) FROM words WHERE k IS NOT NULL
> abc |  3 

SELECT avg(word), sum(word), max(k) FROM words
> 1.975 | 7.9 | 4

SELECT n AS a, a + 1 AS b, b * 2 AS c FROM t ORDER BY c
> null | null | null
> -2 | -1 | -2
> 7 | 8 | 16

SELECT -n AS n FROM t ORDER BY n
> null
> -7
> 2

SELECT n AS m FROM t ORDER BY -m
> null
> 7
> -2

SELECT k % 2 AS odd, count(*) FROM words GROUP BY odd ORDER BY odd
> null | 1
> 0 | 2
> 1 | 4

SELECT upper(word) AS word, count(*) FROM words GROUP BY word ORDER BY word
> null | 1
>  | 1
>  3  | 1
> 01 | 1
> 1 | 1
> 2.9 | 1
> ABC | 1

SELECT word, k FROM words ORDER BY k DESC NULLS FIRST, word ASC NULLS LAST LIMIT 3
>  | null
> null | 4
>  3  | 3

SELECT * FROM (SELECT id, n FROM t) ORDER BY 2 DESC
> a | 7
> b | -2
> null | null

SELECT q.id FROM (SELECT id FROM t) q WHERE q.id IS NOT NULL ORDER BY q.id
> a
> b

SELECT k, a.word FROM words a RIGHT JOIN (SELECT 9 k UNION SELECT 4) b USING (k) ORDER BY k
> 4 | null
> 9 | null

SELECT * FROM words w LEFT ANTI JOIN t ON w.k = t.n + 5 ORDER BY k, word
>  | null
> 01 | 1
> 1 | 1
> 2.9 | 2
> null | 4

SELECT a.k FROM words a, words b WHERE a.k = b.k AND a.k = 3
> 3
> 3
> 3
> 3

SELECT * FROM VALUES (1, 'a'), (2, null) AS v(x, y) ORDER BY x
> 1 | a
> 2 | null

SELECT explode(map('a', 1)), 5
> a | 1 | 5

SELECT explode(array(struct(1 AS a, 2 AS b))) s
> {a: 1, b: 2}

SELECT id, explode_outer(ids) FROM t ORDER BY id, key
> null | null | null
> a | ECID | [{id: e1, primary: true}, {id: e2, primary: null}]
> a | Email | [{id: a@x, primary: null}]
> b | null | null

SELECT inline(array(struct(1, 'a'), struct(2, 'b')))
> 1 | a
> 2 | b

SELECT posexplode(array('x', null)) AS (i, v)
> 0 | x
> 1 | null

SELECT id, tag, i FROM t LATERAL VIEW posexplode(tags) x AS i, tag WHERE i > 0 ORDER BY i
> a | new | 1
> a | vip | 2

SELECT count(*) FROM t LATERAL VIEW explode(tags) a AS a LATERAL VIEW explode(tags) b AS b
> 9

SELECT tag, sum(n) FROM (SELECT n, explode(tags) tag FROM t) GROUP BY tag HAVING sum(n) > 7 ORDER BY tag
> vip | 14

WITH a AS (SELECT explode(tags) x FROM t), b AS (SELECT x, count(*) c FROM a GROUP BY x) SELECT * FROM b WHERE c = (SELECT max(c) FROM b)
> vip | 2

SELECT CASE n WHEN 7 THEN 'seven' WHEN null THEN 'null' END FROM t ORDER BY id
> null
> seven
> null

SELECT CASE WHEN flag THEN 1 WHEN NOT flag THEN 2 END FROM t ORDER BY id
> null
> 1
> 2

SELECT born = '1980-02-29', born > at, at = born, at BETWEEN '2018-10-25' AND '2018-10-26' FROM t ORDER BY id
> null | null | null | null
> true | false | false | true
> false | false | false | false

SELECT born IN ('1980-02-29'), at IN ('2018-12-31 23:59:59'), k IN ('1', 2) FROM t, words ORDER BY at, k, word
> null | null | null
> null | null | true
> null | null | true
> null | null | true
> null | null | false
> null | null | false
> null | null | false
> true | false | null
> true | false | true
> true | false | true
> true | false | true
> true | false | false
> true | false | false
> true | false | false
> false | true | null
> false | true | true
> false | true | true
> false | true | true
> false | true | false
> false | true | false
> false | true | false

SELECT person.name IS NULL, person IS NULL, person.name.firstName IS NULL FROM t ORDER BY id
> true | true | true
> false | false | false
> true | false | true

SELECT scores['x'] + 1, scores.x, scores['z'] IS NULL FROM t ORDER BY id
> null | null | true
> 2 | 1 | true
> null | null | true

SELECT min(struct(n, id)) FROM t WHERE n IS NOT NULL
> {n: -2, id: b}

SELECT max(x) OVER (), id FROM t ORDER BY id
> 2.5 | null
> 2.5 | a
> 2.5 | b

SELECT map_concat(scores, map('x', 5)) FROM t WHERE id = 'b'
> {x: 5}

SELECT 1 AS `a b`, 2 AS `A B`
> 1 | 2

SELECT count(*) FROM t WHERE id = 'A'
> 0

SELECT left('abc', 5), right('abc', 5), left('abc', -1), startswith('abc', 'a'), endswith('abc', 'c'), contains('abc', 'z')
> abc | abc |  | true | true | false
