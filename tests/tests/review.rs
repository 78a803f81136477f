//! The review page where it is read: in a browser, light and dark, narrow, without JavaScript, and by a screen reader.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::path::{Path, PathBuf};
use std::process::Command;

use git2s3_infra::check::{Rules, check};
use git2s3_infra::deploy::{Parameters, Settings, Template};
use git2s3_infra::diff::Diff;
use git2s3_infra::review::{Review, html};
use git2s3_infra::stack;
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What the browser saw of the page.
fn seen(page: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("review.html");
    std::fs::write(&file, page).unwrap();
    let tools = root().join(".tools");
    let output = Command::new(tools.join("py/bin/node"))
        .arg(root().join("tests/review.cjs"))
        .args([&file, Path::new("/usr/bin/chromium")])
        .env("NODE_PATH", tools.join("browser/node_modules"))
        // Chromium keeps its profile there.
        .env("HOME", folder.path())
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_review_is_read_by_eye_and_ear_with_nothing_but_the_file() {
    let template = stack::template(None).unwrap().as_value();
    let rules = Rules::embedded().unwrap();
    let report = check(&template, &rules).unwrap();
    let mut old = template.clone();
    old["Resources"]["WebhookFunction"]["Properties"]["MemorySize"] = json!(128);
    let diff = Some(("main".to_owned(), Diff::between(&old, &template)));
    let declared = Template::parse(template.to_string()).unwrap();
    let settings = Settings::new(&declared, &Parameters::default().with("Refs", "main"), None);
    let seen = seen(&html(&Review { template: &template, rules: &rules, report: &report, diff, settings: &settings }));

    for way in ["light", "dark", "narrow"] {
        let seen = &seen[way];
        assert_eq!(seen["requests"], 1, "{way}: the page asks for more than itself");
        assert_eq!(seen["errors"], json!([]), "{way}");
        assert_eq!(seen["unnamedTables"], 0, "{way}");
        assert_eq!(seen["headlessRows"], 0, "{way}");
        assert_eq!(seen["deadLinks"], 0, "{way}");
        assert_eq!(seen["overflows"], false, "{way}");
        assert_eq!(seen["spilling"], json!([]), "{way}");
        assert!(seen["tables"].as_u64().unwrap() >= 8 && seen["boxes"].as_u64().unwrap() >= 18, "{way}");
    }
    assert_ne!(seen["light"]["paper"], seen["dark"]["paper"]);
    assert_ne!(seen["light"]["picturePaper"], seen["dark"]["picturePaper"]);

    // What is read out is the same without script, and has the picture in words.
    let words = seen["words"].as_array().unwrap();
    assert!(words.contains(&json!("webhook to gitpull jobs: SendMessage")), "{words:#?}");
    let aria = seen["light"]["aria"].as_str().unwrap();
    assert_eq!(seen["dark"]["aria"], aria);
    let outline: Vec<&str> = aria
        .lines()
        .map(str::trim)
        .filter(|line| {
            ["- heading", "- table", "- img", "- navigation", "- region"].iter().any(|role| line.starts_with(role))
        })
        .collect();
    insta::assert_snapshot!(outline.join("\n"));
}
