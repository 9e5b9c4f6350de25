//! What the agent sees of a row, as one JSON text: the database keeps it so, and nobody on the way there looks into it.

/// An array of pairs, without blanks.
pub(super) fn pairs<'t>(fields: impl Iterator<Item = (&'t str, &'t str)>) -> String {
    let mut json = String::with_capacity(USUAL);
    json.push('[');
    for (name, value) in fields {
        json.push_str(if json.len() > 1 { ",[" } else { "[" });
        push(&mut json, name);
        json.push(',');
        push(&mut json, value);
        json.push(']');
    }
    json.push(']');
    json
}

fn push(json: &mut String, text: &str) {
    let odd = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    // To the end, so that many bytes are looked at in one step.
    if text.bytes().fold(false, |found, byte| found | odd(byte)) {
        json.push_str(&serde_json::Value::from(text).to_string());
    } else {
        json.push('"');
        json.push_str(text);
        json.push('"');
    }
}

/// Bytes that most rows need.
const USUAL: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn fields_are_written_as_the_library_writes_them(
            fields in proptest::collection::vec(("\\PC{0,6}|[\"\\\\\\x00-\\x1f山]{0,4}", "\\PC{0,12}|[\"\\\\\\x00-\\x1f山/]{0,6}"), 0..5),
        ) {
            let expected = serde_json::to_string(&fields).unwrap();
            let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            proptest::prop_assert_eq!(pairs(fields), expected);
        }
    }
}
