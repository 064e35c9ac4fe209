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
