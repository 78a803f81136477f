//! A template as YAML. CloudFormation reads [YAML 1.1](https://yaml.org/type/), in which `off` is a
//! boolean, `012` is ten and `2012-10-17` is a day; the writer used here follows version 1.2 and
//! doesn't quote such texts. So they are quoted here.

use serde_json::Value as Json;

/// Texts of YAML 1.2 that YAML 1.1 reads as another type.
const WORDS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "<<", "="];

/// The YAML of a value, for parsers of versions 1.1 and 1.2.
pub(crate) fn of(value: &Json) -> String {
    // YAML can represent every JSON map.
    let text = serde_yaml_ng::to_string(value).unwrap_or_default();
    let mut block = None;
    let line = |line: &str| {
        let depth = line.len() - line.trim_start().len();
        // The lines of a multi-line text are plain text.
        let is_of_block = block.is_some_and(|block| line.is_empty() || depth > block);
        block = block
            .filter(|_| is_of_block)
            .or_else(|| ["|", "|-", "|+"].iter().any(|mark| line.ends_with(mark)).then_some(depth));
        if is_of_block { line.to_owned() } else { quoted(line) }
    };
    text.lines().map(line).flat_map(|line| [line, "\n".to_owned()]).collect()
}

/// The line, with its text in quotation marks if needed.
fn quoted(line: &str) -> String {
    let content = line.trim_start().trim_start_matches("- ");
    let text = content.split_once(": ").filter(|(key, _)| !key.contains([' ', '\''])).map_or(content, |(_, text)| text);
    let before = line.len() - text.len();
    match line.split_at_checked(before) {
        Some((before, text)) if is_ambiguous(text) => format!("{before}'{text}'"),
        _ => line.to_owned(),
    }
}

/// Whether YAML 1.1 reads an unquoted text as another type. What looks like a number in JSON is
/// one.
fn is_ambiguous(text: &str) -> bool {
    let begins_like_a_number = text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
    let is_made_like_one = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.:_".contains(&byte));
    let is_number = serde_json::from_str::<serde_json::Number>(text).is_ok();
    let is_word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    is_word || begins_like_a_number && is_made_like_one && !is_number && text != "-"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ambiguous_yaml_text_is_quoted() {
        let check = |value: Json, expected: &str| assert_eq!(of(&value), expected, "{value}");
        check(json!({ "Default": "off" }), "Default: 'off'\n");
        check(json!({ "AllowedValues": ["on", "Off", "path"] }), "AllowedValues:\n- 'on'\n- 'Off'\n- path\n");
        check(json!({ "Version": "2012-10-17" }), "Version: '2012-10-17'\n");
        check(
            json!({ "Time": "12:30", "Octal": "0o17", "Digits": "1_000" }),
            "Time: '12:30'\nOctal: '0o17'\nDigits: '1_000'\n",
        );
        check(
            json!({ "Description": "this - off", "Size": 5, "Share": -0.5 }),
            "Description: this - off\nSize: 5\nShare: -0.5\n",
        );
        check(json!({ "Is": true, "Not": "true" }), "Is: true\nNot: 'true'\n");
        check(json!({ "On": [["yes"]] }), "On:\n- - 'yes'\n");
        check(json!({ "Code": "on\noff", "Next": "off" }), "Code: |-\n  on\n  off\nNext: 'off'\n");
    }
}
