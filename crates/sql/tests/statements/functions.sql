-- sizes: -1 of null
SELECT id, size(tags), cardinality(scores), array_size(tags) FROM t ORDER BY id
> null | -1 | -1 | null
> a | 3 | 2 | 3
> b | 0 | 0 | 0

-- element_at is from 1 on, and from the end
SELECT element_at(tags, 1), element_at(tags, -1), element_at(tags, 4), element_at(scores, 'Y'), element_at(scores, 'y') FROM t WHERE id = 'a'
> vip | vip | null | 2 | null

-- keys, values, entries
SELECT map_keys(scores), map_values(scores), map_entries(scores) FROM t ORDER BY id
> null | null | null
> [x, Y] | [1, 2] | [{key: x, value: 1}, {key: Y, value: 2}]
> [] | [] | []

-- maps are made
SELECT map_from_arrays(tags, tags) FROM t WHERE id = 'b'
> {}

-- of arrays and entries
SELECT map_from_arrays(array('a', 'b'), array(1, 2)), map_from_entries(map_entries(scores)), map_concat(scores, map('z', n)) FROM t WHERE id = 'a'
> {a: 1, b: 2} | {x: 1, Y: 2} | {x: 1, Y: 2, z: 7}

-- two of one key
SELECT map_from_arrays(tags, tags) FROM t WHERE id = 'a'
! 58000 twice

-- lists
SELECT array_distinct(tags), array_contains(tags, 'new'), array_contains(tags, 'old'), array_join(tags, '+'), sort_array(tags), slice(tags, 2, 2), array_max(tags), array_min(tags), array_position(tags, 'new') FROM t ORDER BY id
> null | null | null | null | null | null | null | null | null
> [vip, new] | true | false | vip+new+vip | [new, vip, vip] | [new, vip] | vip | new | 2
> [] | false | false |  | [] | [] | null | null | 0

-- unknown whether a list with nulls has it
SELECT array_contains(array(1, null), 2), array_contains(array(1, null), 1), flatten(nested) FROM t WHERE id = 'a'
> null | true | [1, 2, 3]

-- collected: nulls are left out, and of none there is an empty list
SELECT collect_list(n), size(collect_set(flag)), collect_list(n) FILTER (WHERE n > 100) FROM t
> [7, -2] | 2 | []

-- counts
SELECT count(*), count(n), count(DISTINCT k), approx_count_distinct(k), count_if(k > 2) FROM words LEFT JOIN t ON k = n
> 7 | 0 | 4 | 4 | 3

-- of several: rows without a null
SELECT count(word, k), count(DISTINCT k, word) FROM words
> 5 | 5

-- sums of texts that are numbers; the rest is null
SELECT sum(word), avg(k), min(word), max(k) FROM words
> 7.9 | 2.3333333333333335 |  | 4

-- structs
SELECT struct(n, x AS y), named_struct('a', 1, 'b', id), struct(1) FROM t WHERE id = 'a'
> {n: 7, y: 2.5} | {a: 1, b: a} | {col1: 1}

-- concat is null where a part is, concat_ws leaves it out
SELECT concat(id, '-', n), concat_ws('-', id, tags, n), id || n FROM t ORDER BY id
> null |  | null
> a-7 | a-vip-new-vip-7 | a7
> b--2 | b--2 | b-2

-- conditions
SELECT if(n > 0, 'plus', 'minus'), nvl(n, 0), coalesce(null, n, 1), nullif(n, 7), nvl2(n, 1, 2), isnull(n) FROM t ORDER BY id
> minus | 0 | 1 | null | 2 | true
> plus | 7 | 7 | null | 1 | false
> minus | -2 | -2 | -2 | 1 | false

-- CASE with a value
SELECT CASE k WHEN '1' THEN 'one' WHEN 3 THEN 'three' ELSE 'other' END c, count(*) FROM words GROUP BY c ORDER BY c
> one | 2
> other | 3
> three | 2

-- texts
SELECT length('größe'), upper('größe'), lower('ÀB'), trim('  a '), ltrim('  a'), rtrim('a  '), reverse('abc'), replace('aXbX', 'X', '-'), instr('hello', 'l'), locate('x', 'hello'), left('hello', 2), right('hello', 3), repeat('ab', 2), lpad('7', 3, '0'), rpad('7', 3)
> 5 | GRÖSSE | àb | a | a | a | cba | a-b- | 3 | 0 | he | llo | abab | 007 | 7  

-- substring from 1 on, from the end, and from 0
SELECT substring('hello', 2, 3), substring('hello', -3), substr('hello', 0, 2), substring('hello', 10), substring('hello', -10, 7)
> ell | llo | he |  | he

-- split, and what is an expression in it
SELECT split('a1b22c', '[0-9]+'), split('a,b,c', ',', 2), split('a|b', '\\|')
> [a, b, c] | [a, b,c] | [a, b]

-- regular expressions; the group is 1 if none is said
SELECT regexp_replace('a1b2', '\\d', '<$0>'), regexp_extract('id-42', '(\\w+)-(\\d+)', 2), regexp_extract('id-42', '(\\w+)-(\\d+)'), regexp_extract('none', '(\\d)'), 'abc' RLIKE 'b', 'abc' NOT RLIKE '^b'
> a<1>b<2> | 42 | id |  | true | true

-- one that Rust hasn't
SELECT 'a' RLIKE 'a(?=b)'
! 0A000 regular expression

-- parts of dates
SELECT year(at), quarter(at), month(at), day(at), dayofweek(at), weekday(at), dayofyear(at), weekofyear(at), hour(at), minute(at), second(at), extract(year FROM born) FROM t ORDER BY id
> null | null | null | null | null | null | null | null | null | null | null | null
> 2018 | 4 | 10 | 25 | 5 | 3 | 298 | 43 | 22 | 30 | 5 | 1980
> 2018 | 4 | 12 | 31 | 2 | 0 | 365 | 1 | 23 | 59 | 59 | 1999

-- days
SELECT date_add(born, 1), date_sub(born, 1), datediff(at, born), add_months(born, 12), last_day(born), born + 1 FROM t WHERE id = 'a'
> 1980-03-01 | 1980-02-28 | 14118 | 1981-02-28 | 1980-02-29 | 1980-03-01

-- the unit goes first in date_trunc, last in trunc
SELECT date_trunc('hour', at), date_trunc('WEEK', at), date_trunc('quarter', at), trunc(born, 'MM'), trunc(born, 'year'), date_trunc('era', at) FROM t WHERE id = 'a'
> 2018-10-25 22:00:00 | 2018-10-22 00:00:00 | 2018-10-01 00:00:00 | 1980-02-01 | 1980-01-01 | null

-- Java's patterns
SELECT date_format(at, 'yyyy-MM-dd'), date_format(at, 'EEE d MMM yy, h:mm a'), date_format(born, 'dd.MM.yyyy HH:mm') FROM t WHERE id = 'a'
> 2018-10-25 | Thu 25 Oct 18, 10:30 PM | 29.02.1980 00:00

-- one that isn't known
SELECT date_format(at, 'YYYY') FROM t
! 0A000 YYYY in the pattern

-- texts as times; what is none is null
SELECT to_timestamp('2018-10-25 10:00:00'), to_timestamp('25/10/2018 10', 'dd/MM/yyyy HH'), to_date('2018-10-25T01:02:03Z'), to_date('20181025', 'yyyyMMdd'), to_timestamp('soon'), to_date('2018-02-30')
> 2018-10-25 10:00:00 | 2018-10-25 10:00:00 | 2018-10-25 | 2018-10-25 | null | null

-- zones
SELECT from_utc_timestamp(at, 'EDT'), to_utc_timestamp(at, 'America/New_York'), from_utc_timestamp(at, 'Asia/Kolkata'), date_format(from_utc_timestamp(at, 'EDT'), 'HH') FROM t WHERE id = 'a'
> 2018-10-25 18:30:05.250 | 2018-10-26 02:30:05.250 | 2018-10-26 04:00:05.250 | 18

-- one that is none
SELECT from_utc_timestamp(at, 'XYZ') FROM t
! 42804 XYZ is not

-- seconds since 1970
SELECT unix_timestamp(at), from_unixtime(0), unix_timestamp('1970-01-02 00:00:00') FROM t WHERE id = 'b'
> 1546300799 | 1970-01-01 00:00:00 | 86400

-- numbers (not as Spark)
SELECT abs(n), ceil(x), floor(-2.5), round(2.5), round(1.005, 2), round(15, -1), sqrt(16), power(2, 3), mod(-7, 3) FROM t WHERE id = 'a'
> 7 | 3 | -3 | 3.0 | 1.01 | 20 | 4.0 | 8.0 | -1

-- windows
SELECT k, row_number() OVER (ORDER BY k DESC, word) n, rank() OVER (ORDER BY k) r, lag(k) OVER (ORDER BY k, word) FROM words WHERE k > 1 ORDER BY n
> 4 | 1 | 4 | 3
> 3 | 2 | 2 | 2
> 3 | 3 | 2 | 3
> 2 | 4 | 1 | null

-- row_number needs an order
SELECT row_number() OVER () FROM words
! 42601 ORDER BY

-- a function that isn't there
SELECT soundexx('a')
! 42883 soundexx

-- no number of arguments that it takes
SELECT lower('a', 'b')
! 42883 takes 1

-- ROLLUP
SELECT k, count(*) FROM words WHERE k < 3 GROUP BY ROLLUP (k) ORDER BY k
> null | 3
> 1 | 2
> 2 | 1

-- words for times are Spark's in constants alone
SELECT to_timestamp('yesterday')
! 0A000 yesterday

-- coalesce of numbers and texts is a text
SELECT coalesce(id, n), coalesce(n, 'x') FROM t ORDER BY n
> null | x
> b | -2
> a | 7

-- lists of different make are put together
SELECT concat(tags, array('z')), coalesce(tags, array('none')) FROM t ORDER BY id
> null | [none]
> [vip, new, vip, z] | [vip, new, vip]
> [z] | []

-- what is trimmed stands in front of FROM; btrim has it behind
SELECT trim(BOTH 'x' FROM 'xax'), trim(LEADING 'x' FROM 'xax'), btrim('xax', 'x')
> a | ax | a

-- ltrim with two arguments has them the other way round in Spark, and is refused
SELECT ltrim('x', 'xxa')
! 42883 takes 1

-- the parts of a day of a text are those of a date, whatever stands behind it
SELECT year('2018-10-25Tx'), month('2018-10-25 soon'), day('2018-10-25T25:00'), weekofyear('2018-10-25 x'), hour('2018-10-25 soon')
> 2018 | 10 | 25 | 43 | null

-- Spark's has the fraction
SELECT extract(SECOND FROM at) FROM t
! 0A000 SECOND

-- fractions have as many digits as the pattern at most
SELECT to_timestamp('2018-10-25 1:2:3.5', 'yyyy-MM-dd H:m:s.SSS'), to_timestamp('2018-10-25 1:2:3.1234', 'yyyy-MM-dd H:m:s.SSS')
> 2018-10-25 01:02:03.500 | null

-- H and a contradict each other
SELECT to_timestamp('10:00 PM', 'HH:mm a')
! 0A000 letters H and a

-- a quote within quotes
SELECT date_format(at, "'o''clock' H") FROM t WHERE id = 'a'
! 42703

-- and escaped in the text
SELECT date_format(at, '\'o\'\'clock\' H') FROM t WHERE id = 'a'
> o'clock 22

-- a decimal has no negative zero
SELECT round(x - 0.4), round(x - 0.04, 1), round(x * -1) FROM t WHERE id = 'b'
> 0.0 | 0.0 | 0.0
