//! Compatibility with the last release's template and functions: while a stack is updated, its old
//! code runs with the new environment for seconds. Every variable that it reads is still written,
//! with valid values. `crates/contract/tests` tests the other direction.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::path::Path;

use deployment::stack;
use serde_json::Value;

const RELEASED: &str = "crates/contract/released/environment.json";

/// The released functions, by their names in the template.
const FUNCTIONS: [(&str, &str); 3] =
    [("webhook", "WebhookFunction"), ("gitpull", "GitPullFunction"), ("zipdl", "ZipDlFunction")];

/// The default of a variable that is a parameter.
fn default<'t>(template: &'t Value, variable: &Value) -> Option<&'t str> {
    template["Parameters"][variable["Ref"].as_str()?]["Default"].as_str()
}

#[test]
fn released_functions_accept_current_environment() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let released: Value = serde_json::from_str(&std::fs::read_to_string(root.join(RELEASED)).unwrap()).unwrap();
    let template = stack::template(None).unwrap().into_value();
    let mut choices = 0;
    for (function, resource) in FUNCTIONS {
        let written = &template["Resources"][resource]["Properties"]["Environment"]["Variables"];
        for (name, variable) in released["functions"][function].as_object().unwrap() {
            let value = &written[name];
            assert!(!value.is_null() || variable["required"] == false, "{function}: {name} isn't written any more");
            if let (Some(takes), Some(default)) = (variable["takes"].as_array(), default(&template, value)) {
                assert!(takes.iter().any(|taken| taken == default), "{function} doesn't take {default:?} for {name}");
                choices += 1;
            }
            if name == "MINIMUM_SIGNATURE" {
                variable["example"].as_str().unwrap().parse::<forge::MinimumSignature>().unwrap();
            }
        }
    }
    assert!(choices >= 5, "only {choices}");
}
