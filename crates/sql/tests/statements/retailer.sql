-- 1 who has that ECID
SELECT person.name FROM prof WHERE identityMap['ECID'][0].id = '00000000000000000000000000000000000001'
# name
> {firstName: Jürgen, lastName: Adler}

-- 2 the identities of a segment (not as Spark)
SELECT key, inline(value), 'S' segmentId FROM (SELECT explode(identityMap) FROM prof WHERE segmentMembership['ups']['c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32'].status = 'realized') WHERE key IN ('Loyalty', 'ECID') LIMIT 0
# key | id | authenticatedState | primary | segmentId
> ECID | 00000000000000000000000000000000000269 | null | true | S
> ECID | 00000000000000000000000000000000000093 | null | true | S
> ECID | 00000000000000000000000000000000000189 | null | true | S
> Loyalty | L0072 | null | true | S
> Loyalty | L0228 | null | true | S
> ECID | 00000000000000000000000000000000000037 | null | true | S
> ECID | 00000000000000000000000000000000000217 | null | true | S
> ECID | 00000000000000000000000000000000000133 | null | true | S
> ECID | 00000000000000000000000000000000000145 | null | true | S
> ECID | 00000000000000000000000000000000000297 | null | true | S
> Loyalty | L0204 | null | true | S

-- 3 profiles by namespace
SELECT Key namespace, count(1) AS profiles FROM (SELECT explode(identitymap) FROM prof) GROUP BY namespace ORDER BY namespace
# namespace | profiles
> CRMID | 287
> ECID | 81
> Email | 322
> Loyalty | 25
> Phone | 1

-- 4 profiles by segment
SELECT concat_ws('-', key, source_namespace) segment_id, count(1) count_of_profiles FROM (SELECT upper(key) AS source_namespace, explode(value) FROM (SELECT explode(Segmentmembership) FROM prof)) GROUP BY segment_id ORDER BY count_of_profiles DESC
# segment_id | count_of_profiles
> 4edc8ad7-1e2d-4d6a-9c3b-0d1c7d6f2a10-AAM | 163
> 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21-UPS | 122
> c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32-UPS | 81
> holiday-shoppers-AAM | 24

-- 5 what is done with an export job
SELECT ROW_NUMBER() OVER (ORDER BY personID)::text _id, personID, key FROM (SELECT personalEmail.address personID, explode(segmentMembership.ups) FROM prof) WHERE value.status = 'realized' AND key IN ('c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32') AND personID < 'person100' ORDER BY personID
# _id | personID | key
> 1 | person002@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32
> 2 | person007@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32
> 3 | person037@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32
> 4 | person070@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32
> 5 | person072@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32
> 6 | person093@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32

-- 6 a computed key
SELECT segmentID, m[segmentID]['status'] AS status, count(*) FROM (SELECT identityMap, explode(map_keys(segmentMembership['ups'])) segmentID, segmentMembership['ups'] m FROM prof) GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 50
> 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21 | null | 12
> 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21 | existing | 29
> 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21 | exited | 59
> 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21 | realized | 22
> c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | null | 11
> c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | existing | 20
> c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | exited | 24
> c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | realized | 26

-- 7 entries of two namespaces together
WITH a AS (SELECT personalEmail.address email, explode(map_entries(segmentMembership['ups'])) audience FROM prof UNION SELECT personalEmail.address, explode(map_entries(segmentMembership['AAM'])) FROM prof)
SELECT audience.key, audience.value.status, count(DISTINCT email) AS people FROM a GROUP BY 1, 2 ORDER BY 1, 2
> 4edc8ad7-1e2d-4d6a-9c3b-0d1c7d6f2a10 | null | 13
> 4edc8ad7-1e2d-4d6a-9c3b-0d1c7d6f2a10 | existing | 51
> 4edc8ad7-1e2d-4d6a-9c3b-0d1c7d6f2a10 | exited | 53
> 4edc8ad7-1e2d-4d6a-9c3b-0d1c7d6f2a10 | realized | 46
> 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21 | null | 12
> 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21 | existing | 29
> 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21 | exited | 58
> 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21 | realized | 22
> c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | null | 10
> c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | existing | 20
> c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | exited | 24
> c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | realized | 26
> holiday-shoppers | null | 2
> holiday-shoppers | existing | 8
> holiday-shoppers | exited | 6
> holiday-shoppers | realized | 7

-- 8 an alias of the same SELECT
SELECT status, count(*) FROM (SELECT explode(map_keys(segmentMembership['ups'])) c, segmentMembership['ups'][c].status AS status FROM prof) WHERE c = '85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21' GROUP BY status ORDER BY status
> null | 12
> existing | 29
> exited | 59
> realized | 22

-- 9 events by identities that are spelled in two ways
SELECT DISTINCT b.event FROM (SELECT explode(coalesce(identityMap['ECID'], identityMap['ecid'])) ec FROM prof) a JOIN (SELECT _id event, explode(coalesce(identityMap['ECID'], identityMap['ecid'])) ec FROM ev) b ON lower(trim(a.ec.id)) = lower(trim(b.ec.id)) ORDER BY b.event LIMIT 5
> visit-00005
> visit-00006
> visit-00007
> visit-00021
> visit-00022

-- 10 what was exited is left out
SELECT status, count(lastqualificationtime) FROM (SELECT key segmentID, value.lastqualificationtime, value.status, identityMap.customerid FROM (SELECT identityMap, explode(value) FROM (SELECT identityMap, explode(segmentMembership) FROM prof)) WHERE key = 'c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32' AND value.status != 'exited') GROUP BY status ORDER BY status
> existing | 20
> realized | 25

-- 11 e-mails and statuses
SELECT Email, cast(key AS STRING), value.status FROM (SELECT identityMap.Email[0].id Email, explode(segmentMembership.ups) FROM prof WHERE segmentMembership.ups['c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32'].status IS NOT NULL) WHERE Email < 'person040' ORDER BY Email, key
> person002@example.com | 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21 | exited
> person002@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | realized
> person005@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | exited
> person007@example.com | 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21 | existing
> person007@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | realized
> person011@example.com | 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21 | exited
> person011@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | exited
> person015@example.com | 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21 | exited
> person015@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | exited
> person016@example.com | 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21 | null
> person016@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | exited
> person020@example.com | 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21 | null
> person020@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | existing
> person026@example.com | 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21 | realized
> person026@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | exited
> person027@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | exited
> person037@example.com | 85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21 | realized
> person037@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | realized
> person038@example.com | c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32 | exited

-- 12 how many are in
SELECT count(1) FROM prof WHERE segmentMembership['ups']['c2f1e0d9-4b3a-4c2d-9e1f-6a7b8c9d0e32'].status IN ('realized')
> 26

-- 13 a device that people share
SELECT identityMap['ECID'][0]['id'] IS NULL AS none, count(DISTINCT identityMap['Email'][0]['id']) n FROM ev GROUP BY identityMap['ECID'][0].id IS NULL ORDER BY n DESC
> true | 251
> false | 0

-- 14 the events of a device, with all columns
SELECT identityMap['CRMID'][0]['id'] personEntity, * EXCEPT (identityMap, environment, commerce, ingestedAt) FROM ev WHERE identitymap['ECID'][0].id = '00000000000000000000000000000000000005' ORDER BY timestamp DESC
# personEntity | _id | timestamp | eventType
> null | visit-00021 | 2018-10-26 21:17:44.292 | commerce.addToCart
> null | visit-00022 | 2018-10-23 15:39:46.462 | web.pageView

-- 15 profiles joined to events by identities
WITH people AS (SELECT identityMap['Email'][0].id id, identityMap['Email'][0].primary is_primary FROM prof) SELECT count(*) FROM people JOIN ev ON people.id = ev.identityMap['Email'][0].id WHERE people.is_primary
> 531

-- 16 LATERAL VIEW
SELECT count(*) FROM ev LATERAL VIEW EXPLODE(identityMap['Email']) AS e WHERE e.primary = TRUE AND timestamp >= to_timestamp('2018-10-28')
> 143

-- 17 element_at and cardinality
SELECT Element_at(identitymap, 'ECID'), Cardinality(identitymap) FROM ev WHERE Element_at(identitymap, 'ECID') IS NOT NULL AND timestamp >= To_timestamp('2018-10-29 12:00:00')
> [{id: 00000000000000000000000000000000000189, authenticatedState: null, primary: true}] | 1
> [{id: 00000000000000000000000000000000000149, authenticatedState: null, primary: true}] | 1
> [{id: 00000000000000000000000000000000000213, authenticatedState: null, primary: true}] | 1
> [{id: 00000000000000000000000000000000000101, authenticatedState: null, primary: true}] | 1
> [{id: 00000000000000000000000000000000000141, authenticatedState: null, primary: true}] | 1
> [{id: 00000000000000000000000000000000000193, authenticatedState: null, primary: true}] | 1

-- 18 transform
SELECT size(Transform(timeSeriesEvents, v -> v.commerce.order.priceTotal * 2)), sort_array(Transform(timeSeriesEvents, v -> v.commerce.order.priceTotal * 2))[0] FROM prof WHERE personalEmail.address = 'person000@example.com'
> 5 | 110.88

-- 19 exists
SELECT count(*) FROM prof WHERE EXISTS(timeSeriesEvents, v -> v.eventType == 'commerce.purchase')
> 186

-- 20 filter and size
SELECT size(Filter(timeSeriesEvents, v -> v.commerce.order.priceTotal > 150)) n, count(*) FROM prof WHERE timeSeriesEvents IS NOT NULL GROUP BY n ORDER BY n
> 0 | 171
> 1 | 115
> 2 | 29
> 3 | 13

-- 21 aggregate
SELECT round(aggregate(timeSeriesEvents, 0, (acc, v) -> acc + v.commerce.order.priceTotal, acc -> acc * 2), 2) FROM prof WHERE personalEmail.address = 'person000@example.com'
> 1233.48

-- 22 a reserved word
SELECT commerce.`order` FROM ev WHERE timestamp >= to_timestamp('2018-10-29 22:00:00') ORDER BY timestamp
# order
> {priceTotal: 164.23, currencyCode: EUR}
> {priceTotal: 181.64, currencyCode: EUR}
> {priceTotal: 103.25, currencyCode: EUR}
> {priceTotal: 159.84, currencyCode: EUR}
> {priceTotal: 41.26, currencyCode: EUR}
> {priceTotal: 126.38, currencyCode: EUR}
> {priceTotal: 68.46, currencyCode: EUR}
> {priceTotal: 119.75, currencyCode: EUR}
> {priceTotal: 9.15, currencyCode: EUR}
> {priceTotal: 196.56, currencyCode: EUR}

-- 23 the first of each
SELECT count(*) FROM (SELECT IF(LENGTH(commerce.`order`.currencyCode) > 0, ROW_NUMBER() OVER (PARTITION BY identityMap['Email'].id, identityMap['ECID'].id, commerce.`order`.currencyCode ORDER BY timestamp), 1) AS nth FROM ev) WHERE nth = 1
> 307

-- 24 a trend by days
SELECT date_format(from_utc_timestamp(timestamp, 'EDT'), 'yyyy-MM-dd') Day, SUM(CASE WHEN eventType = 'web.pageView' THEN 1 ELSE 0 END) views, count(*) FROM ev GROUP BY Day ORDER BY Day
> 2018-10-19 | 2 | 11
> 2018-10-20 | 33 | 88
> 2018-10-21 | 29 | 102
> 2018-10-22 | 31 | 75
> 2018-10-23 | 38 | 90
> 2018-10-24 | 32 | 83
> 2018-10-25 | 30 | 95
> 2018-10-26 | 31 | 103
> 2018-10-27 | 31 | 86
> 2018-10-28 | 19 | 74
> 2018-10-29 | 17 | 73

-- 25 inline
SELECT inline(identities) FROM prof WHERE personalEmail.address = 'person000@example.com'
# id | namespace
> person000@example.com | {code: Email}
> C00000 | {code: CRMID}

-- 26 collect_list
SELECT city, size(collect_list(s)) n, sort_array(collect_set(s)) FROM (SELECT homeAddress.city, explode(tags) s FROM prof WHERE homeAddress.city IN ('Nice', 'Leeds')) WHERE s IN ('new', 'returns') GROUP BY city ORDER BY city
> Leeds | 42 | [new, returns]
> Nice | 30 | [new, returns]

-- 27 names of a flattened database
SELECT YEAR(timestamp), round(SUM("commerce.order.priceTotal"), 2) FROM ev GROUP BY 1
> 2018 | 85242.29

-- 28 the rows of a CREATE TABLE AS
SELECT struct(personalEmail.address AS mail, person.name.lastName) _tenant FROM prof WHERE identityMap['CRMID'][0].id = 'C00000'
> {mail: person000@example.com, lastName: Brown}

-- 30 LIMIT 0 gives all rows (not as Spark)
SELECT count(*) FROM (SELECT * FROM prof LIMIT 0)
> 328

-- posexplode over the events of profiles
SELECT pos, count(*) FROM (SELECT posexplode(timeSeriesEvents) FROM prof) WHERE pos < 3 GROUP BY pos ORDER BY pos
> 0 | 268
> 1 | 212
> 2 | 169
