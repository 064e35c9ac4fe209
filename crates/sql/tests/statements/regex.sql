-- matches without width go on in another way in Java
SELECT regexp_replace('abc', 'x*', '-')
! 0A000 empty text

-- borders of words have no width
SELECT regexp_count('a b', '\\b')
! 0A000 empty text

-- nor have the ends of a text
SELECT split('abc', '^')
! 0A000 empty text

-- all of them
SELECT regexp_extract_all('abc', '(b?)')
! 0A000 empty text

-- one match, or the question whether there is one, is the same
SELECT regexp_extract('abc', '(x*)'), 'abc' RLIKE 'x*', split('abc', '')
>  | true | [a, b, c]

-- ours takes the line break at the end along
SELECT regexp_replace('ab', 'b$', 'c')
! 0A000 $ where

-- in a group
SELECT regexp_extract('ab', '(b$)')
! 0A000 $ in it

-- but not beside it, and no matter where a match is asked for
SELECT regexp_extract('id-42', '(\\d+)$'), 'ab\n' RLIKE 'b$', 'ab\nc' RLIKE 'b$'
> 42 | true | false

-- lines have other ends in Java
SELECT 'a' RLIKE '(?m)^a'
! 0A000 flag m

-- a point is everything but the ends of lines, unless it is told to be all
SELECT 'a\rb' RLIKE 'a.b', 'a\nb' RLIKE '(?s)a.b', 'axb' RLIKE 'a.b', 'a.b' RLIKE 'a[.]b'
> false | true | true | true

-- a flag elsewhere
SELECT 'ab' RLIKE 'a(?s).'
! 0A000 flag s

-- without case, of ASCII alone
SELECT 'ABC' RLIKE '(?i)b', 'ABC' RLIKE 'a(?i:b)C'
> true | false

-- not of all writing
SELECT 'Ä' RLIKE '(?i)ä'
! 0A000 flag i

-- possessive quantifiers are other ones in Rust
SELECT 'aaa' RLIKE 'a*+a'
! 0A000 possessive

-- of a count, too
SELECT 'aaa' RLIKE 'a{2}+a'
! 0A000 possessive

-- borders of words that Java hasn't
SELECT 'a' RLIKE '\\<a'
! 0A000 \<

-- names of classes are of ASCII in Java
SELECT 'ä' RLIKE '\\p{Alpha}'
! 0A000 Alpha

-- categories are the same
SELECT 'ä' RLIKE '^\\p{L}$', 'ä' RLIKE '^\\pL', 'ä' RLIKE '\\p{Lu}'
> true | true | false

-- a group's number is as long as there is such a group
SELECT regexp_replace('ab', '(a)(b)', '$2$1'), regexp_replace('ab', '(a)(b)', '$12'), regexp_replace('ab', 'a', '\\$')
> ba | a2 | $b

-- one that isn't there
SELECT regexp_replace('ab', '(a)', '$2')
! 0A000 no group 2

-- groups by name
SELECT regexp_replace('ab', '(?<x>a)', '${x}')
! 0A000 the number of a group
