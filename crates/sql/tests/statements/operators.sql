-- a division gives a double; by zero it is null
SELECT 7 / 2, n / 0, x / 0, n % 0, 7 DIV 2, -7 DIV 2, 10 DIV 3 + 1, n DIV 0, 7 % 3, -7 % 3 FROM t WHERE id = 'a'
> 3.5 | null | null | null | 3 | -3 | 4 | null | 1 | -1

-- a text is compared as the number beside it
SELECT word FROM words WHERE word = 1 ORDER BY word
> 01
> 1

-- what is cut off is cut off
SELECT word FROM words WHERE word = 2 OR word > 2.5 ORDER BY word
>  3 
> 2.9

-- IN compares texts as texts
SELECT word FROM words WHERE word IN (1, 3)
> 1

-- NOT IN with a null is never true
SELECT k FROM words WHERE k NOT IN (1, null)

-- a text in arithmetic is a double
SELECT '7' + 1, '2' * '3', 'a' + 1
> 8.0 | 6.0 | null

-- a text against a time and a date
SELECT id FROM t WHERE at >= '2018-12-01' OR born = '1980-02-29' ORDER BY id
> a
> b

-- a text that is no time is null, and no error
SELECT count(*) FROM t WHERE at > 'soon'
> 0

-- a date against a time
SELECT id FROM t WHERE at > to_date('2018-12-31')
> b

-- a truth against a text
SELECT id FROM t WHERE flag = 'true'
> a

-- what can't be compared
SELECT 1 FROM t WHERE flag = at
! 42804 can't be compared

-- maps neither
SELECT 1 FROM t WHERE scores = scores
! 42804 maps

-- casts that fail are null
SELECT cast(word AS int) i, cast(word AS double) d FROM words ORDER BY k, word
> null | null
> 1 | 1.0
> 1 | 1.0
> 2 | 2.9
> 3 | 3.0
> null | null
> null | null

-- numbers are cut and wrapped as in Java
SELECT cast(2.9 AS int), cast(-2.9 AS bigint), cast(300 AS tinyint), cast(1e20 AS int), cast(true AS int), cast(0 AS boolean)
> 2 | -2 | 44 | 2147483647 | 1 | false

-- texts of values
SELECT cast(x AS string), cast(at AS string), cast(born AS string), cast(flag AS string), cast(1e10 AS string), string(n) FROM t WHERE id = 'a'
> 2.5 | 2018-10-25 22:30:05.25 | 1980-02-29 | true | 1.0E10 | 7

-- times of numbers and back
SELECT cast(0 AS timestamp), cast(at AS bigint), cast(at AS date), at::date FROM t WHERE id = 'b'
> 1970-01-01 00:00:00 | 1546300799 | 2018-12-31 | 2018-12-31

-- what can't be cast
SELECT cast(tags AS int) FROM t
! 42804

-- a type that isn't known
SELECT cast(n AS decimal(10, 2)) FROM t
! 0A000 DECIMAL

-- literals of dates; what is none is an error
SELECT DATE '2018-10-25', TIMESTAMP '2018-10-25 10:00:00'
> 2018-10-25 | 2018-10-25 10:00:00

-- an error
SELECT DATE 'soon'
! 42804 soon

-- intervals
SELECT at + INTERVAL 1 DAY, at - INTERVAL '2' HOUR FROM t WHERE id = 'b'
> 2019-01-01 23:59:59 | 2018-12-31 21:59:59

-- BETWEEN with a text
SELECT k FROM words WHERE k BETWEEN '3' AND 4 ORDER BY k
> 3
> 3
> 4

-- LIKE of a number, and an escape
SELECT k FROM words WHERE k LIKE '%4' OR 'a_b' LIKE 'a\_c'
> 4

-- what would be anything but Spark's is refused
SELECT 1 & 2
! 0A000 operator

-- dates are no numbers
SELECT born - born FROM t
! 42804 datediff

-- IS NOT DISTINCT FROM
SELECT count(*) FROM words WHERE k IS NOT DISTINCT FROM null
> 1

-- || binds as + does
SELECT 'total: ' || 3 * 2, 1 + 2 || '3', 'a' || 1 + 2
> total: 6 | 33 | null

-- texts beside each other are one
SELECT 'a' 'b', 'a'   'b' 'c'
> ab | abc

-- an escape that Spark reads as another character
SELECT 'a\u0041'
! 0A000 escape \u

-- the parser's bell
SELECT '\a'
! 0A000 escape \a

-- octal numbers
SELECT '\101'
! 0A000 escape \1

-- those that both know
SELECT length('\n\t\0\\\''), '\d'
> 5 | d

-- a number with a type behind it
SELECT 10D
! 0A000 10D

-- one of two letters
SELECT 1.0BD FROM t
! 0A000 1.0BD

-- UNION of texts and others is of texts, as casts write them
SELECT 1e10 a UNION ALL SELECT 'x' UNION ALL SELECT at FROM t WHERE id = 'a' ORDER BY a
> 1.0E10
> 2018-10-25 22:30:05.25
> x

-- what looks at it sees texts
SELECT a = '01', a || 'x' FROM (SELECT 1 a UNION ALL SELECT '01') ORDER BY 2
> true | 01x
> false | 1x

-- dates and times are times
SELECT born FROM t WHERE id = 'a' UNION SELECT at FROM t WHERE id = 'b' ORDER BY 1
> 1980-02-29 00:00:00
> 2018-12-31 23:59:59

-- Spark has no type for these
SELECT flag FROM t UNION SELECT 'x'
! 42804 types that differ

-- INTERSECT would compare them in another way
SELECT k FROM words INTERSECT SELECT word FROM words
! 0A000 INTERSECT

-- and so would EXCEPT
SELECT word FROM words MINUS SELECT n FROM t
! 0A000 EXCEPT

-- VALUES
SELECT * FROM VALUES (1.5), ('x')
! 0A000 VALUES

-- nulls have any type
SELECT word FROM words WHERE k = 4 UNION SELECT 'a' INTERSECT SELECT 'a' EXCEPT SELECT null
> a

-- CASE and its like of texts and others are texts
SELECT CASE WHEN id = 'a' THEN x ELSE 'none' END, if(id = 'a', born, 'none'), nvl2(id, at, 'none'), CASE WHEN id = 'a' THEN 1e10 WHEN id = 'b' THEN '-' END FROM t ORDER BY id
> none | none | none | null
> 2.5 | 1980-02-29 | 2018-10-25 22:30:05.25 | 1.0E10
> none | none | 2018-12-31 23:59:59 | -

-- and what looks at them sees texts
SELECT CASE WHEN n > 0 THEN n ELSE '07' END = '7', CASE WHEN n > 0 THEN n ELSE '07' END + 1 FROM t ORDER BY id
> false | 8.0
> true | 8.0
> false | 8.0

-- a list of nothing is a list of anything
SELECT if(n > 0, tags, array()), coalesce(tags, array()), CASE WHEN n > 0 THEN array() ELSE array(nvl(n, 0)) END FROM t ORDER BY id
> [] | [] | [0]
> [vip, new, vip] | [vip, new, vip] | []
> [] | [] | [-2]

-- within aggregates, groups and lambdas
SELECT CASE WHEN k > 2 THEN k ELSE 'low' END c, count(*), sum(CASE WHEN k > 1 THEN k ELSE '5' END), transform(array(1, 2), v -> if(v > 1, v, 'x')) FROM words GROUP BY CASE WHEN k > 2 THEN k ELSE 'low' END HAVING count(*) > 0 ORDER BY c
> 3 | 2 | 6.0 | [x, 2]
> 4 | 1 | 4.0 | [x, 2]
> low | 4 | 17.0 | [x, 2]

-- dates and times are times
SELECT CASE WHEN id = 'a' THEN born ELSE at END FROM t WHERE id = 'a'
> 1980-02-29 00:00:00

-- what has no type that all have
SELECT if(flag, n, at) FROM t
! 42804 values of one type

-- no condition
SELECT CASE WHEN n THEN 1 END FROM t
! 42804 conditions

-- small numbers out of range: texts are null, doubles go by way of an int
SELECT cast('300' AS tinyint), cast('-128' AS tinyint), cast('40000' AS smallint), cast(1e10 AS tinyint), cast(1e10 AS smallint), cast(300.7 AS tinyint)
> null | -128 | null | -1 | -1 | 44

-- a clock without a date is today's to Spark
SELECT cast('10:11:12' AS timestamp)
! 0A000 10:11:12

-- in a comparison
SELECT 1 FROM t WHERE at > '10:11'
! 0A000 10:11

-- a year of five digits
SELECT to_date('12018-10-25')
! 0A000 12018

-- by a pattern it is what the pattern says
SELECT to_timestamp('10:11:12', 'HH:mm:ss')
> 1970-01-01 10:11:12

-- blanks of ASCII are cut off, no others
SELECT cast('\t 1\n' AS int), cast(' 1' AS int), cast(' 2018-10-25\n' AS date)
> 1 | null | 2018-10-25

-- a part of a chain is what rows are grouped by
SELECT a || 'k' || '!' AS n, count(*) AS c FROM (SELECT explode(array('x', 'y', 'x')) AS a) GROUP BY a || 'k' ORDER BY 1
> xk! | 2
> yk! | 1

-- ANY and ALL of a list that is written down are IN and NOT IN (not as Spark)
SELECT k FROM (SELECT explode(array(1, 2, 3, null)) AS k) WHERE k = ANY(ARRAY[1, 3]) OR k <> ALL('{1,3,NULL}') OR k = SOME((array(2)))
> 1
> 3
> 2

-- nothing is in an empty list, and not even a null (not as Spark)
SELECT 1 = ANY(ARRAY[]), null = ANY('{}'), null <> ALL(array()), 1 = ANY(array(2, null)), NOT 1 = ANY(array(2, null))
> false | false | true | null | null

-- a text that is no constant is no list
SELECT 1 = ANY(cast(n AS string)) FROM t
! 42804 any(string, bigint): it takes a list

-- … of lists that are values; a null list is unknown (not as Spark)
SELECT id, 'b' = ANY(tags), 'b' <> ALL(tags), null = ANY(array()), null = ANY(tags), 'x' = ANY(filter(tags, x -> false)), 'a' <> ALL(filter(tags, x -> false)) FROM t ORDER BY id
> null | null | null | false | null | null | null
> a | false | true | false | null | false | true
> b | false | true | false | false | false | true

-- texts behind ANY and ALL are values of what they are compared with, as by = (not as Spark)
SELECT 10.0 = ANY('{10,20}'), 10.0 <> ALL('{10,20}'), 10.0 = '10', true = ANY('{t,x}'), false <> ALL(ARRAY['f']), '10' = ANY(array(10.0, null)), cast('10' AS string) IN (10.0), date'2024-02-29' = ANY('{2024-02-29}'), timestamp'2024-02-29 00:00:00' = ANY('{2024-02-29T00:00:00Z}'), timestamp'2024-02-29 00:00:00' <> ALL('{2024-02-29,2024-03-01}'), 1 = ANY('{x}')
> true | false | true | true | false | true | false | true | true | false | null

-- … of lists that are values, too
SELECT 10.0 = ANY(filter(array('10', '20'), x -> true)), 10.0 <> ALL(filter(array('10', '20'), x -> true)), true = ANY(filter(array('t'), x -> true)), '10' = ANY(filter(array(10.0), x -> true)), timestamp'2024-02-29 00:00:00' = ANY(filter(array('2024-02-29', null), x -> true)), date'2024-02-29' = ANY(filter(array(timestamp'2024-02-29 00:00:00'), x -> true)), 1 = ANY(filter(array('1'), x -> false)), exists(array(10.0), x -> x = ANY('{10,20}'))
> true | false | true | true | true | true | false | true

-- a text and an object
SELECT struct(1) = ANY('{1}')
! 42804 can't be compared

-- other operators before ANY and ALL
SELECT 1 < ANY(array(2))
! 0A000 ANY

-- what is no list
SELECT 1 = ANY('1,2')
! 22P02 1,2

-- lists of lists
SELECT 1 = ANY('{{1}}')
! 0A000 Lists of lists
