-- transform (not as Spark)
SELECT transform(items, i -> i.priceTotal * 2), transform(items, i -> i.quantity + 1) FROM t ORDER BY id
> null | null
> [21.0, 8.0] | [3, null]
> [] | []

-- with the index, and a column from outside
SELECT transform(tags, (x, i) -> concat(id, '-', x, '-', i)) FROM t WHERE id = 'a'
> [a-vip-0, a-new-1, a-vip-2]

-- filter; what is unknown goes
SELECT filter(items, i -> i.quantity > 1).sku, filter(tags, x -> x = 'vip') FROM t WHERE id = 'a'
> [s1] | [vip, vip]

-- exists: unknown where no other element decides
SELECT id, exists(items, i -> i.sku = 's2'), exists(items, i -> i.quantity = 2), exists(items, i -> i.quantity = 3) FROM t ORDER BY id
> null | null | null | null
> a | true | true | null
> b | false | false | false

-- forall
SELECT id, forall(items, i -> i.priceTotal > 3), forall(items, i -> i.quantity = 2) FROM t ORDER BY id
> null | null | null
> a | true | null
> b | true | true

-- EXISTS with a number and a text
SELECT EXISTS(tags, v -> v == 123) FROM t WHERE id = 'a'
> null

-- aggregate
SELECT id, aggregate(items, 0, (acc, i) -> acc + i.priceTotal) s, reduce(tags, '', (acc, x) -> acc || x) FROM t ORDER BY id
> null | null | null
> a | 14.5 | vipnewvip
> b | 0.0 | 

-- with a finish
SELECT aggregate(array(1, 2, 3), 0, (acc, x) -> acc + x, acc -> acc * 2) s
> 12

-- zip_with: the shorter one is filled up with nulls
SELECT zip_with(tags, array(1, 2), (a, b) -> concat_ws(':', a, b)) FROM t WHERE id = 'a'
> [vip:1, new:2, vip]

-- a lambda within a lambda
SELECT transform(nested, l -> transform(l, x -> x * n)) FROM t WHERE id = 'a'
> [[7, 14], [], [21]]

-- a parameter hides a column
SELECT transform(tags, id -> id) FROM t WHERE id = 'a'
> [vip, new, vip]

-- size of a filter, in WHERE
SELECT id FROM t WHERE size(filter(items, i -> i.priceTotal >= 4)) = 2
> a

-- a field that isn't there
SELECT transform(items, i -> i.colour) FROM t
! 42703 there is no field colour

-- no lambda
SELECT transform(items, 1) FROM t
! 42804

-- a lambda where none belongs
SELECT upper(x -> x)
! 42601
