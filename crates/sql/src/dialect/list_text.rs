//! Lists as PostgreSQL writes them in a text: `{a,"b c",NULL}`.

use super::error::{Code, Error};

/// The items of a list that is written so; `None` is null.
///
/// # Errors
///
/// It is no list (22P02), or one of lists, or one whose numbers don't begin at one (0A000).
pub fn list_items(text: &str) -> Result<Vec<Option<String>>, Error> {
    let broken = || {
        Error::new(
            Code::InvalidText,
            format!("{text:?} is no list such as {{a,\"b c\",NULL}}"),
        )
    };
    let trimmed = text.trim();
    if trimmed.starts_with('[') {
        return Err(Error::unsupported(
            "Lists whose items are not numbered from one",
        ));
    }
    let inner = trimmed
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .ok_or_else(broken)?;
    let mut rest = inner.chars().peekable();
    let mut items = Vec::new();
    if inner.trim().is_empty() {
        return Ok(items);
    }
    loop {
        while rest.next_if(|one| one.is_whitespace()).is_some() {}
        let mut item = String::new();
        // Blanks at the end of an item that is not within quotes are none of it.
        let mut length = 0;
        let mut is_plain = true;
        if rest.next_if_eq(&'"').is_some() {
            is_plain = false;
            loop {
                match rest.next().ok_or_else(broken)? {
                    '"' => break,
                    '\\' => item.push(rest.next().ok_or_else(broken)?),
                    one => item.push(one),
                }
            }
            length = item.len();
            while rest.next_if(|one| one.is_whitespace()).is_some() {}
        } else {
            while let Some(one) = rest.next_if(|one| *one != ',') {
                match one {
                    '{' => return Err(Error::unsupported("Lists of lists")),
                    '"' | '}' => return Err(broken()),
                    '\\' => {
                        is_plain = false;
                        item.push(rest.next().ok_or_else(broken)?);
                        length = item.len();
                    }
                    one => {
                        item.push(one);
                        if !one.is_whitespace() {
                            length = item.len();
                        }
                    }
                }
            }
            if length == 0 {
                return Err(broken());
            }
        }
        item.truncate(length);
        let is_null = is_plain && item.eq_ignore_ascii_case("null");
        items.push((!is_null).then_some(item));
        match rest.next() {
            None => return Ok(items),
            Some(',') => {}
            Some(_) => return Err(broken()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_plain_or_within_quotes() {
        let items = |text| {
            let items = list_items(text).expect(text);
            items
                .into_iter()
                .map(|item| item.unwrap_or_else(|| "<null>".to_owned()))
                .collect::<Vec<_>>()
        };
        assert_eq!(items("{}"), [""; 0]);
        assert_eq!(items(" { } "), [""; 0]);
        assert_eq!(items("{a,b c , d}"), ["a", "b c", "d"]);
        assert_eq!(items("{NULL,null,\"NULL\"}"), ["<null>", "<null>", "NULL"]);
        assert_eq!(items(r#"{"a,b", "\"\\" ,""}"#), ["a,b", "\"\\", ""]);
        assert_eq!(items(r"{a\,b,\NULL,x\ }"), ["a,b", "NULL", "x "]);
    }

    #[test]
    fn what_is_no_list_or_one_of_lists_is_refused() {
        for text in [
            "", "a", "{", "{a", "a}", "{a,}", "{,a}", "{\"a}", "{\"a\"b}", "{a\"b\"}", "{a\\}",
            "{a}b",
        ] {
            let error = list_items(text).expect_err(text);
            assert_eq!(error.code, Code::InvalidText, "{text}");
        }
        for text in ["{{a},{b}}", "[0:1]={a,b}"] {
            let error = list_items(text).expect_err(text);
            assert_eq!(error.code, Code::NotSupported, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_was_written_is_read(items: Vec<Option<String>>) {
            let written: Vec<String> = items.iter().map(|item| match item {
                None => "NULL".to_owned(),
                Some(item) => format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\"")),
            }).collect();
            let text = format!("{{{}}}", written.join(","));
            proptest::prop_assert_eq!(list_items(&text), Ok(items));
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = list_items(&text);
            let _ = list_items(&format!("{{{text}}}"));
        }
    }
}
