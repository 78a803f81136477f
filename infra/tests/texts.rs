//! Compares the table of what services accept in names and descriptions with botocore's models of
//! these services.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what surprises a test fails it")]

use std::path::Path;
use std::process::Command;

use cfn::texts::{Characters, TEXTS, Text};
use serde_json::{Value, json};

/// For each `[service, operation, member]`: the member's longest, the sentences about it without
/// markup, its pattern, and which of the characters stand in a text that fits the pattern.
const READ: &str = r"
import html, json, re, sys
from botocore.session import get_session
session = get_session()
def told(service, operation, path, characters):
    shape, documentation = session.get_service_model(service).operation_model(operation).input_shape, ''
    for part in path.split('.'):
        while shape.type_name == 'list': shape = shape.member
        shape = shape.members[part]
        documentation = shape.documentation
    metadata, pattern = shape.metadata, shape.metadata.get('pattern')
    sentences = ' '.join(html.unescape(re.sub('<[^>]+>', '', documentation)).split())
    fits = [character for character in characters if pattern and re.fullmatch(pattern, 'a' + character + 'a')]
    return {'longest': metadata.get('max'), 'pattern': pattern, 'sentences': sentences, 'fits': fits}
json.dump([told(*source, characters) for *source, characters in json.load(sys.stdin)], sys.stdout)
";

fn characters() -> Vec<char> {
    ('\0'..='\u{17f}').collect()
}

fn models() -> Vec<Value> {
    let questions: Vec<_> = TEXTS
        .iter()
        .map(|Text { source: [service, operation, member], .. }| json!([service, operation, member, characters()]))
        .collect();
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/ministack/bin/python3");
    let asked = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&asked, json!(questions).to_string()).unwrap();
    let input = std::fs::File::open(asked.path()).unwrap();
    let output = Command::new(&python).args(["-c", READ]).stdin(input).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}: run .ci/tools", python.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn text_limits_match_botocore() {
    for (text, model) in TEXTS.iter().zip(models()) {
        let sentences = model["sentences"].as_str().unwrap();
        let Text { longest, source, .. } = text;
        let said = [
            format!("{longest} characters"),
            format!("is {longest} "),
            format!("exceed {longest} "),
            format!("and {longest} "),
        ];
        let is_said = said.iter().any(|words| sentences.contains(words));
        let is_longest = model["longest"] == *longest || is_said;
        assert!(is_longest, "{source:?}: {longest} is neither {} nor in: {sentences}", model["longest"]);

        let Characters::These(takes, said) = text.characters else { continue };
        let Some(pattern) = model["pattern"].as_str() else {
            assert!(sentences.contains(said), "{source:?}: {said:?} is not in: {sentences}");
            continue;
        };
        assert!(pattern.contains(said), "{source:?}: {said:?} is not in {pattern:?}");
        let fits = |character: &char| model["fits"].as_array().unwrap().contains(&json!(character));
        // What is no text that JSON or Python's classes of characters agree on is left to the
        // function; an ARN stands for a name, too.
        let differs = |character: &char| takes(*character) != fits(character);
        let different: Vec<_> = characters().into_iter().filter(char::is_ascii).filter(differs).collect();
        let of_arns = if source[1] == "CreateFunction" { vec![':'] } else { Vec::new() };
        assert_eq!(different, of_arns, "{source:?}: {pattern}");
    }
}
