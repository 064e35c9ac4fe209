-- explode of a list: nulls and empty lists give no row
SELECT id, explode(tags) FROM t
# id | col
> a | vip
> a | new
> a | vip

-- explode of a map gives two columns
SELECT id, explode(scores) FROM t ORDER BY key
# id | key | value
> a | Y | 2
> a | x | 1

-- with names
SELECT explode(scores) AS (k, v) FROM t ORDER BY k
# k | v
> Y | 2
> x | 1

-- with too few
SELECT explode(scores) AS k FROM t
! 42601 2 columns and gets 1

-- the outer one keeps rows that would have none
SELECT id, explode_outer(tags) tag FROM t ORDER BY id, tag
> null | null
> a | new
> a | vip
> a | vip
> b | null

-- positions are from 0 on
SELECT id, posexplode(tags) FROM t ORDER BY pos
# id | pos | col
> a | 0 | vip
> a | 1 | new
> a | 2 | vip

-- of a map, and outer
SELECT id, posexplode_outer(scores) FROM t ORDER BY id, pos
# id | pos | key | value
> null | null | null | null
> a | 0 | x | 1
> a | 1 | Y | 2
> b | null | null | null

-- inline makes columns of structs
SELECT id, inline(items) FROM t
# id | SKU | priceTotal | quantity
> a | s1 | 10.5 | 2
> a | s2 | 4.0 | null

-- and outer
SELECT id, inline_outer(items) FROM t ORDER BY id, sku
> null | null | null | null
> a | s1 | 10.5 | 2
> a | s2 | 4.0 | null
> b | null | null | null

-- only one in a SELECT
SELECT explode(tags), explode(items) FROM t
! 0A000 Only one generator

-- none within an expression
SELECT upper(explode(tags)) FROM t
! 0A000 stands alone

-- none beside aggregates
SELECT explode(tags), count(*) FROM t GROUP BY 1
! 0A000 aggregates

-- of what is no list
SELECT explode(n) FROM t
! 42804 a list or a map

-- WHERE goes before it
SELECT explode(tags) tag FROM t WHERE id = 'b'

-- its alias is known behind it
SELECT explode(map_keys(scores)) c, scores[c] v FROM t ORDER BY c
# c | v
> Y | 2
> x | 1

-- an alias before it is known within it
SELECT tags AS all_tags, explode(all_tags) one FROM t
> [vip, new, vip] | vip
> [vip, new, vip] | new
> [vip, new, vip] | vip

-- LATERAL VIEW, two of them
SELECT id, tag, k, v FROM t LATERAL VIEW explode(tags) a AS tag LATERAL VIEW explode(scores) b AS k, v ORDER BY tag, k
# id | tag | k | v
> a | new | Y | 2
> a | new | x | 1
> a | vip | Y | 2
> a | vip | Y | 2
> a | vip | x | 1
> a | vip | x | 1

-- the second one of the first one's column
SELECT one FROM t LATERAL VIEW explode(nested) x AS inner_list LATERAL VIEW explode(inner_list) y AS one ORDER BY one
> 1
> 2
> 3

-- WHERE sees its columns
SELECT i.sku FROM t LATERAL VIEW explode(items) AS i WHERE i.priceTotal > 5
> s1

-- no names of columns, and the query goes on behind the view's name
SELECT x.key, x.value FROM t LATERAL VIEW explode(scores) x ORDER BY x.value LIMIT 1
# key | value
> x | 1

-- the same in front of a set operation, and of another view
SELECT a.col FROM t LATERAL VIEW explode(tags) a UNION SELECT b.key FROM t LATERAL VIEW OUTER explode(scores) b ORDER BY 1
> null
> Y
> new
> vip
> x

-- its relation's name in front
SELECT x.key, x.value FROM t LATERAL VIEW explode(scores) x WHERE x.key = 'Y'
# key | value
> Y | 2

-- LATERAL VIEW OUTER
SELECT id, tag FROM t LATERAL VIEW OUTER explode(tags) x AS tag ORDER BY id, tag
> null | null
> a | new
> a | vip
> a | vip
> b | null

-- grouped
SELECT tag, count(*) FROM t LATERAL VIEW explode(tags) x AS tag GROUP BY tag ORDER BY 1
> new | 1
> vip | 2

-- in a subquery without an alias, and grouped by the key
SELECT Key namespace, count(1) FROM (SELECT explode(ids) FROM t) GROUP BY namespace ORDER BY namespace
# namespace | count(1)
> ECID | 1
> Email | 1

-- a map within a map's value, twice exploded
SELECT key, inline(value) FROM (SELECT explode(ids) FROM t) ORDER BY id
# key | id | primary
> Email | a@x | null
> ECID | e1 | true
> ECID | e2 | null

-- explode without FROM
SELECT explode(array(1, 2)) n ORDER BY n DESC
> 2
> 1

-- a join's both sides stay known
SELECT a.id, w.word, explode(a.scores) FROM t a JOIN words w ON a.n = w.k + 3 ORDER BY key
# id | word | key | value
> a | null | Y | 2
> a | null | x | 1
