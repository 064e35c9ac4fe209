-- columns are found without case; a column is called as the statement writes it
SELECT ID, N FROM T ORDER BY n
# ID | N
> null | null
> b | -2
> a | 7

-- an alias keeps its case
SELECT Id AS PersonId FROM t WHERE ID = 'a'
# PersonId
> a

-- * gives the schema's names
SELECT * FROM words WHERE word = 'abc'
# word | k
> abc | 3

-- fields of structs are found without case, and give their name
SELECT person.NAME.firstname, Person.`order`, "Person"."Name".lastName FROM t
# firstname | order | lastName
> Ann | first | Brown
> null | second | null
> null | null | null

-- a dot and a subscript are the same
SELECT person['name']['FirstName'] f FROM t WHERE id = 'a'
> Ann

-- a relation's alias in front
SELECT q.person.name.firstName FROM t AS q WHERE Q.id = 'a'
# firstName
> Ann

-- keys of maps keep their case
SELECT scores['x'], scores['X'], scores.Y, scores.y FROM t WHERE id = 'a'
> 1 | null | 2 | null

-- lists begin at 0; out of range and below 0 is null
SELECT id, tags[0], tags[2], tags[3], tags[-1] FROM t ORDER BY id
> null | null | null | null | null
> a | vip | vip | null | null
> b | null | null | null | null

-- a field behind a subscript
SELECT ids['ECID'][0].id, ids.ECID[1].id, items[0].sku, ids['ECID'][0].primary FROM t WHERE id = 'a'
> e1 | e2 | s1 | true

-- a field of a list is the list of that field
SELECT items.SKU, ids['ECID'].id FROM t ORDER BY id
> null | null
> [s1, s2] | [e1, e2]
> [] | null

-- lists in lists
SELECT nested[0][1], nested[1][0], nested[2] FROM t WHERE id = 'a'
> 2 | null | [3]

-- a computed index, and a computed key
SELECT tags[n - 7], scores[lower('X')], scores[Person.Name.firstName] FROM t WHERE id = 'a'
> vip | 1 | null

-- a key that differs from row to row
SELECT k, map('1', 'one', '3', 'three')[k] FROM words ORDER BY k, word
> null | null
> 1 | one
> 1 | one
> 2 | null
> 3 | three
> 3 | three
> 4 | null

-- names in double quotes and in backticks
SELECT "Id" AS "the id", `n` AS `the n` FROM "t" WHERE "ID" = 'a'
# the id | the n
> a | 7

-- two columns that differ in case alone
SELECT name FROM twice
! 42702 ambiguous

-- the other column is no matter
SELECT other FROM twice
> c

-- the columns of both sides
SELECT id FROM t a JOIN t b ON a.n = b.n
! 42702 a.Id or b.Id

-- a column that is not there
SELECT nam FROM t
! 42703 there is no column nam

-- a field that is not there
SELECT person.nam FROM t
! 42703 there is no field nam

-- a table that is not there
SELECT 1 FROM nowhere
! 42P01 there is no table nowhere

-- a schema that is not there
SELECT 1 FROM other.t
! 42P01

-- PostgreSQL's schema
SELECT count(*) FROM public.t
> 3

-- == and <=>
SELECT id, id == 'a', id <=> null FROM t ORDER BY id
> null | null | true
> a | true | false
> b | false | false

-- ~~ and ILIKE
SELECT word FROM words WHERE word ~~ 'a%' OR word ILIKE 'ABC' OR word !~~ '%'
> abc

-- ::type
SELECT n::text, n::string, '12'::int + 1 FROM t WHERE id = 'a'
> 7 | 7 | 13

-- an alias of the same SELECT
SELECT n + 1 AS m, m * 2 AS k FROM t WHERE id = 'a'
# m | k
> 8 | 16

-- a column goes before an alias
SELECT n + 1 AS x, x FROM t WHERE id = 'a'
# x | x
> 8 | 2.5

-- an alias in GROUP BY and HAVING
SELECT k * 10 AS tens, count(*) c FROM words GROUP BY tens HAVING c > 1 ORDER BY tens
> 10 | 2
> 30 | 2

-- GROUP BY and ORDER BY numbers
SELECT k, count(1) FROM words GROUP BY 1 ORDER BY 2 DESC, 1
> 1 | 2
> 3 | 2
> null | 1
> 2 | 1
> 4 | 1

-- a number that is none of a column
SELECT k FROM words ORDER BY 2
! 42601 number of no column

-- a constant by its alias
SELECT 5 AS five, 'S' AS s, count(*) FROM words GROUP BY five, s
> 5 | S | 7

-- a subquery without an alias
SELECT m FROM (SELECT n AS m FROM t) WHERE m > 0
> 7

-- columns of one name in a subquery are no matter unless they are named
SELECT a FROM (SELECT n a, x, x FROM t) WHERE a = 7
> 7

-- … and if they are
SELECT x FROM (SELECT n a, x, x FROM t)
! 42702 ambiguous

-- a common table expression, twice
WITH w AS (SELECT id, n FROM t WHERE n IS NOT NULL) SELECT a.id, b.n FROM w a JOIN w b ON a.id = b.id ORDER BY a.id
> a | 7
> b | -2

-- it hides a table of its name
WITH t AS (SELECT 1 one) SELECT * FROM t
# one
> 1

-- MINUS, EXCEPT, INTERSECT
SELECT k FROM words MINUS SELECT n FROM t
> 1
> 2
> 3
> 4

-- ALL of them is not DataFusion's
SELECT k FROM words EXCEPT ALL SELECT n FROM t
! 0A000

-- UNION takes the first one's names
SELECT k AS a FROM words WHERE k = 4 UNION ALL SELECT n AS b FROM t WHERE n > 0 ORDER BY A DESC
# a
> 7
> 4

-- UNION of queries with other numbers of columns
SELECT 1 UNION SELECT 1, 2
! 42601

-- nulls come first upwards, last downwards
SELECT n FROM t ORDER BY n DESC
> 7
> -2
> null

-- unless it is said
SELECT n FROM t ORDER BY n NULLS LAST
> -2
> 7
> null

-- LIMIT 0 is no limit (not as Spark)
SELECT k FROM words WHERE k > 1 LIMIT 0
> 2
> 3
> 3
> 4

-- and with it in a subquery (not as Spark)
SELECT count(*) FROM (SELECT * FROM words LIMIT 0)
> 7

-- a limit that is one
SELECT k FROM words ORDER BY k DESC LIMIT 1
> 4

-- and with OFFSET
SELECT k FROM words ORDER BY k DESC LIMIT 1 OFFSET 1
> 3

-- USING unites the columns
SELECT id, a.n, b.x FROM t a JOIN t b USING (id) ORDER BY id
> a | 7 | 2.5
> b | -2 | 0.0

-- * has them once
SELECT * FROM (SELECT k, word FROM words WHERE k = 4) a LEFT JOIN (SELECT n, 4 k FROM t WHERE n = 7) b USING (k)
# k | word | n
> 4 | null | 7

-- a semi join
SELECT k FROM words LEFT SEMI JOIN t ON k + 3 = n
> 4

-- a correlated subquery
SELECT id FROM t o WHERE EXISTS (SELECT 1 FROM words WHERE k = o.n - 5)
> a

-- a scalar subquery
SELECT id, (SELECT max(k) FROM words) m FROM t WHERE id = 'b'
> b | 4

-- relation.*, struct.*, and all but some
SELECT a.* EXCEPT (at, born, person, tags, items, scores, ids, nested), person.name.* FROM t a WHERE id = 'a'
# Id | n | x | flag | firstName | lastName
> a | 7 | 2.5 | true | Ann | Brown

-- a flattened database's columns
SELECT "person.name.firstName" FROM t WHERE "Person.Order" = 'first'
> Ann

-- snapshots
SELECT n FROM t SNAPSHOT SINCE 1
> -2
> null

-- as of one
SELECT n FROM t SNAPSHOT AS OF '1'
> 7

-- between two, with an alias
SELECT s.n FROM t SNAPSHOT BETWEEN 1 AND 2 AS s
> -2

-- their ends
SELECT count(*) FROM t SNAPSHOT BETWEEN TAIL AND HEAD
> 3

-- a snapshot that is none
SELECT count(*) FROM t SNAPSHOT SINCE x
! 42601 snapshot's ID

-- the history, as a table and in SELECT
SELECT snapshot_id FROM history_meta('T') WHERE is_current
> 3

-- in SELECT
SELECT coalesce(parent_id, 'HEAD') p FROM (SELECT history_meta('t')) WHERE is_current = true
> 2

-- whether a table is there
SELECT table_exists('T'), table_exists('u')
> true | false

-- text that is no statement
SELECT FROM WHERE
! 42601

-- a path with subscripts is called by its text
SELECT ids['ECID'][0].id, (person.name.firstName), count(1) FROM t WHERE id = 'a' GROUP BY 1, 2
# ids[ECID][0].id | firstName | count(1)
> e1 | Ann | 1

-- a cast keeps its column's name, a text loses its quotes (not as Spark)
SELECT cast(n AS string), person.`order`::string, concat(id, '-') FROM t WHERE id = 'a'
# n | order | concat(id, -)
> 7 | first | a-

-- columns that a join unites come first, and once
SELECT * FROM words a JOIN words b USING (k) WHERE k = 4
# k | word | word
> 4 | null | null

-- a column goes before an alias of its name in ORDER BY if both are there
SELECT id AS n, n FROM t ORDER BY n
> null | null
> b | -2
> a | 7
