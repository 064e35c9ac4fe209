-- IN (SELECT …) where all of WHERE must be true
SELECT word FROM words WHERE (k IN (SELECT n - 5 FROM t) AND k = 2) AND word NOT IN (SELECT id FROM t WHERE id IS NOT NULL)
> 2.9

-- a null among what NOT IN looks at
SELECT word FROM words WHERE k NOT IN (SELECT n FROM t)

-- anywhere else its nulls would be lost
SELECT k FROM words WHERE k IN (SELECT n FROM t) OR k = 1
! 0A000 IN (SELECT …)

-- within NOT
SELECT k FROM words WHERE NOT (k IN (SELECT n FROM t))
! 0A000 IN (SELECT …)

-- as a value
SELECT k IN (SELECT n FROM t) FROM words
! 0A000 IN (SELECT …)

-- and in a test of it
SELECT k FROM words WHERE (k IN (SELECT n FROM t)) IS NULL
! 0A000 IN (SELECT …)

-- in CASE
SELECT k FROM words WHERE CASE WHEN k IN (SELECT n FROM t) THEN true ELSE false END
! 0A000 IN (SELECT …)

-- in HAVING
SELECT k FROM words GROUP BY k HAVING k IN (SELECT n FROM t)
! 0A000 IN (SELECT …)

-- in ON
SELECT 1 FROM words a JOIN words b ON a.k IN (SELECT n FROM t)
! 0A000 IN (SELECT …)

-- NOT IN of a constant
SELECT k FROM words WHERE 1 NOT IN (SELECT n FROM t)
! 0A000 NOT IN (SELECT …)

-- of a column of the query around it alone
SELECT id FROM t o WHERE EXISTS (SELECT 1 FROM words WHERE o.n NOT IN (SELECT k FROM words WHERE k > 1))
! 0A000 NOT IN (SELECT …)

-- and one that looks at the query around it
SELECT id FROM t o WHERE n NOT IN (SELECT k FROM words WHERE word = o.id)
! 0A000 NOT EXISTS

-- as this does
SELECT id FROM t o WHERE NOT EXISTS (SELECT 1 FROM words WHERE k = o.n - 5) ORDER BY id
> null
> b

-- IN may, without aggregates over all rows
SELECT id FROM t o WHERE n - 5 IN (SELECT k FROM words WHERE k < o.n)
> a

-- an aggregate gives a row of no rows, too
SELECT id FROM t o WHERE EXISTS (SELECT count(*) FROM words WHERE k = o.n)
! 0A000 aggregates

-- in HAVING alone
SELECT id FROM t o WHERE EXISTS (SELECT 1 FROM words WHERE k = o.n HAVING count(*) = 0)
! 0A000 aggregates

-- in IN
SELECT id FROM t o WHERE 0 IN (SELECT count(*) FROM words WHERE k = o.n)
! 0A000 aggregates

-- one that doesn't look around is fine
SELECT k FROM words WHERE k IN (SELECT max(k) FROM words)
> 4

-- and so is one with groups
SELECT id FROM t o WHERE EXISTS (SELECT count(*) FROM words WHERE k = o.n - 5 GROUP BY k)
> a
