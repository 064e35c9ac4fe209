//! Lists that clients bind to parameters.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{self, CaseWhen, Expr, Value};
use sql::dialect::list_items;

use super::parameter;
use crate::refusal::{BAD_BYTES, Refusal, TOO_MANY_ITEMS};
use crate::split::MOST_TOKENS;

/// A list of texts.
pub(crate) const TEXTS: u32 = 1009;

/// The type of the items of a type of lists.
pub(super) fn item_type(oid: u32) -> Option<u32> {
    Some(match oid {
        199 => 114,
        1000 => 16,
        1002 => 18,
        1003 => 19,
        1005 => 21,
        1007 => 23,
        TEXTS => 25,
        1014 => 1042,
        1015 => 1043,
        1016 => 20,
        1021 => 700,
        1022 => 701,
        1028 => 26,
        1115 => 1114,
        1182 => 1082,
        1185 => 1184,
        1231 => 1700,
        2951 => 2950,
        _ => return None,
    })
}

/// A list of items of that type; `None` is null.
///
/// # Errors
///
/// The bytes are none, or one of lists; an item is none of its type.
pub(super) fn expression(item: u32, binary: bool, value: Option<&[u8]>) -> Result<Expr, Refusal> {
    let Some(bytes) = value else {
        return typed(item, None);
    };
    let all = match binary {
        true => of_binary(item, bytes)?,
        false => {
            let items = list_items(parameter::utf8(bytes)?)?;
            enough(items.len())?;
            let each = items.iter().map(|one| {
                let one = one.as_ref().map(String::as_bytes);
                parameter::expression(item, false, one)
            });
            each.collect::<Result<_, _>>()?
        }
    };
    match all.is_empty() {
        true => typed(item, Some(array(all))),
        false => Ok(array(all)),
    }
}

/// Some list of items of that type.
pub(super) fn unbound(item: u32) -> Result<Expr, Refusal> {
    Ok(array(vec![parameter::unbound(item)?]))
}

/// How many items a value of a parameter has at the most, before any is made; 0 where it is no list.
pub(crate) fn most_items(oid: u32, binary: bool, bytes: &[u8]) -> usize {
    if item_type(oid).is_none() {
        return 0;
    }
    match binary {
        true => {
            let told = bytes.get(12..16).and_then(|four| four.try_into().ok());
            let told = told.map_or(0, u32::from_be_bytes);
            usize::try_from(told).map_or(bytes.len() / 4, |told| told.min(bytes.len() / 4))
        }
        false => 1 + bytes.iter().filter(|byte| **byte == b',').count(),
    }
}

/// A list that has no item to tell its type by, or a null: of the type of one that has some.
fn typed(item: u32, list: Option<Expr>) -> Result<Expr, Refusal> {
    Ok(Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen {
            condition: Expr::Value(Value::Boolean(false).into()),
            result: unbound(item)?,
        }],
        else_result: list.map(Box::new),
    })
}

fn array(elem: Vec<Expr>) -> Expr {
    Expr::Array(ast::Array { elem, named: true })
}

fn enough(items: usize) -> Result<(), Refusal> {
    match items > MOST_TOKENS {
        false => Ok(()),
        true => Err(Refusal::new(
            TOO_MANY_ITEMS,
            format!("a parameter is a list of {items} items; {MOST_TOKENS} are the most"),
        )),
    }
}

/// ```text
/// dimensions  flags  type | items  first | length item …
/// i32         i32    i32  | i32    i32   | i32    bytes
/// ```
fn of_binary(item: u32, bytes: &[u8]) -> Result<Vec<Expr>, Refusal> {
    let wrong = || {
        let message = format!("{} bytes are no list of the type {item}", bytes.len());
        Refusal::new(BAD_BYTES, message)
    };
    let mut rest = bytes;
    let mut int = || {
        let (four, behind) = rest.split_first_chunk::<4>()?;
        rest = behind;
        Some(i32::from_be_bytes(*four))
    };
    let mut next = || int().ok_or_else(wrong);
    let (dimensions, _flags, ty) = (next()?, next()?, next()?);
    if u32::try_from(ty) != Ok(item) {
        let message = format!("a list of the type {item} says that its items are of the type {ty}");
        return Err(Refusal::new(BAD_BYTES, message));
    }
    match dimensions {
        0 => return Ok(Vec::new()),
        1 => {}
        _ => return Err(Refusal::unsupported("Lists of lists")),
    }
    let (count, first) = (next()?, next()?);
    if first != 1 {
        return Err(Refusal::unsupported(
            "Lists whose items are not numbered from one",
        ));
    }
    let count = usize::try_from(count).map_err(|_| wrong())?;
    enough(count)?;
    let mut all = Vec::new();
    for _ in 0..count {
        let (four, behind) = rest.split_first_chunk::<4>().ok_or_else(wrong)?;
        let value = match i32::from_be_bytes(*four) {
            -1 => {
                rest = behind;
                None
            }
            length => {
                let length = usize::try_from(length).map_err(|_| wrong())?;
                let (value, behind) = behind.split_at_checked(length).ok_or_else(wrong)?;
                rest = behind;
                Some(value)
            }
        };
        all.push(parameter::expression(item, true, value)?);
    }
    match rest {
        [] => Ok(all),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::NOT_SUPPORTED;

    fn text(oid: u32, value: &str) -> Result<String, Refusal> {
        let value = parameter::expression(oid, false, Some(value.as_bytes()))?;
        Ok(value.to_string())
    }

    fn binary(oid: u32, head: &[i32], items: &[Option<&[u8]>]) -> Result<String, Refusal> {
        let mut bytes: Vec<u8> = head.iter().flat_map(|int| int.to_be_bytes()).collect();
        for item in items {
            let length = item.map_or(-1, |item| item.len() as i32);
            bytes.extend(length.to_be_bytes());
            bytes.extend(item.unwrap_or_default());
        }
        let value = parameter::expression(oid, true, Some(&bytes))?;
        Ok(value.to_string())
    }

    #[test]
    fn lists_in_text_and_in_binary_are_the_same_expressions() {
        let numbers = "ARRAY[1, CAST(NULL AS BIGINT), -7]";
        assert_eq!(text(1007, "{1,NULL,-7}").as_deref(), Ok(numbers));
        let items = [1_i32.to_be_bytes(), (-7_i32).to_be_bytes()];
        let items = [Some(&items[0][..]), None, Some(&items[1][..])];
        let found = binary(1007, &[1, 1, 23, 3, 1], &items);
        assert_eq!(found.as_deref(), Ok(numbers));
        let texts = r"ARRAY['a b', 'it''s', 'NULL']";
        let found = text(TEXTS, r#"{"a b",it's,"NULL"}"#);
        assert_eq!(found.as_deref(), Ok(texts));
        let items = ["a b", "it's", "NULL"].map(|item| Some(item.as_bytes()));
        let found = binary(TEXTS, &[1, 0, 25, 3, 1], &items);
        assert_eq!(found.as_deref(), Ok(texts));
    }

    #[test]
    fn one_without_an_item_and_a_null_are_of_their_type() {
        let empty = "CASE WHEN false THEN ARRAY[1] ELSE ARRAY[] END";
        assert_eq!(text(1016, "{}").as_deref(), Ok(empty));
        assert_eq!(binary(1016, &[0, 0, 20], &[]).as_deref(), Ok(empty));
        let null = parameter::expression(1016, true, None).expect("a null");
        assert_eq!(null.to_string(), "CASE WHEN false THEN ARRAY[1] END");
        let unbound = parameter::unbound(TEXTS).expect("a list");
        assert_eq!(unbound.to_string(), "ARRAY[CAST(NULL AS STRING)]");
    }

    #[test]
    fn items_are_counted_before_any_is_made() {
        for (value, items) in [("{1,NULL,-7}", 3), ("{}", 1), (r#"{"a,b"}"#, 2)] {
            assert_eq!(most_items(TEXTS, false, value.as_bytes()), items, "{value}");
        }
        assert_eq!(most_items(25, false, b"a,b"), 0);
        let head = [1_i32, 0, 20, 2, 1, -1, -1].map(i32::to_be_bytes).concat();
        assert_eq!(most_items(1016, true, &head), 2);
        let claims = [1_i32, 0, 20, i32::MAX, 1].map(i32::to_be_bytes).concat();
        assert_eq!(most_items(1016, true, &claims), 5);
        assert_eq!(most_items(1016, true, &[0; 12]), 0);
    }

    #[test]
    fn what_is_no_list_of_its_type_is_refused() {
        for value in ["{1,x}", "1", "{1", ""] {
            assert_eq!(
                text(1016, value).expect_err(value).code,
                BAD_BYTES,
                "{value}"
            );
        }
        for value in ["{{1},{2}}", "[2:3]={1,2}"] {
            assert_eq!(text(1016, value).expect_err(value).code, NOT_SUPPORTED);
        }
        let one = Some(&[0, 0, 0, 0, 0, 0, 0, 1][..]);
        for (head, items, code) in [
            (&[2, 0, 20, 1, 1, 1, 1][..], &[one][..], NOT_SUPPORTED),
            (&[1, 0, 20, 1, 0], &[one], NOT_SUPPORTED),
            (&[1, 0, 23, 1, 1], &[one], BAD_BYTES),
            (&[1, 0, 20, 2, 1], &[one], BAD_BYTES),
            (&[1, 0, 20, 1, 1], &[one, one], BAD_BYTES),
            (&[1, 0, 20, 1, 1, 900], &[], BAD_BYTES),
            (&[1, 0, 20, -1, 1], &[], BAD_BYTES),
            (&[1, 0, 20, i32::MAX, 1], &[], TOO_MANY_ITEMS),
            (&[1, 0], &[], BAD_BYTES),
        ] {
            let refusal = binary(1016, head, items).expect_err("no list");
            assert_eq!(refusal.code, code, "{head:?}");
        }
        let many = format!("{{{}1}}", "1,".repeat(MOST_TOKENS));
        assert_eq!(text(1016, &many).expect_err("many").code, TOO_MANY_ITEMS);
    }
}
