//! Compares the runbook with the code: each alarm of the template has a section, and each error
//! that can end a job has a row with its log message. Neither can be added or renamed without the
//! page.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use deployment::stack;
use local::tally;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The third-level sections of a second-level heading, by title.
fn sections(of: &str) -> BTreeMap<String, String> {
    let page = std::fs::read_to_string(root().join("docs/runbook.md")).unwrap();
    let chapter = page.split("\n## ").find_map(|chapter| chapter.strip_prefix(&format!("{of}\n"))).unwrap().to_owned();
    let sections = chapter.split("\n### ").skip(1).map(|section| section.split_once('\n').unwrap());
    sections.map(|(title, text)| (title.to_owned(), text.to_owned())).collect()
}

#[test]
fn each_alarm_has_its_section() {
    let sections = sections("Alarms");
    let template = stack::template(None).unwrap().into_value();
    let resources = template["Resources"].as_object().unwrap();
    let alarms: BTreeMap<_, _> =
        resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::CloudWatch::Alarm").collect();
    let named: BTreeSet<_> = alarms.keys().map(|id| id.strip_suffix("Alarm").unwrap()).collect();
    assert_eq!(named, sections.keys().map(String::as_str).collect());
    for (id, alarm) in &alarms {
        let (name, properties) = (id.strip_suffix("Alarm").unwrap(), &alarm["Properties"]);
        let description = properties["AlarmDescription"].as_str().unwrap();
        assert!(description.ends_with(&format!("docs/runbook.md, section {name}.")), "{description}");
        // The section contains a threshold that is a time.
        let threshold = properties["Threshold"].as_u64().unwrap();
        let told = format!("{},{:03} s", threshold / 1000, threshold % 1000);
        assert!(threshold == 0 || sections[name].contains(&told), "{name} doesn't say {told}");
    }
    tally::tried(alarms.len());
}

/// All source files of the functions and of the libraries that they use.
fn sources() -> Vec<String> {
    let mut folders = vec![root().join("functions"), root().join("crates")];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let is_source = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
            match path {
                path if path.is_dir() && !path.ends_with("tests") => folders.push(path),
                path if is_source(&path) => texts.push(std::fs::read_to_string(path).unwrap()),
                _ => {}
            }
        }
    }
    assert!(texts.len() > 100, "only {} files", texts.len());
    texts
}

/// The body of the enum with this name in the sources. `None` if there is no such enum.
fn body<'a>(sources: &'a [String], name: &str) -> Option<&'a str> {
    let begin = format!("enum {name} {{\n");
    sources.iter().find_map(|text| text.split_once(&begin)?.1.split_once("\n}\n").map(|(body, _)| body))
}

/// The variants, each with its message.
fn variants(body: &str) -> BTreeMap<String, Option<String>> {
    let (mut found, mut said) = (BTreeMap::new(), None);
    // Lines of the enum itself are indented by four.
    for line in body.lines().filter_map(|line| line.strip_prefix("    ")) {
        if let Some(message) = line.strip_prefix("#[error(") {
            said = message.strip_prefix('"').map(|text| text.split('"').next().unwrap().to_owned());
        } else if line.starts_with(|character: char| character.is_ascii_uppercase()) {
            let name = line.split(|character: char| !character.is_alphanumeric()).next().unwrap();
            found.insert(name.to_owned(), said.take());
        }
    }
    found
}

/// The errors that end jobs: those of the workers, and our own errors inside them. Parse errors (of
/// a reference, a URL) are omitted, because their messages are complete.
fn errors(sources: &[String]) -> BTreeSet<String> {
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|character: char| !character.is_alphanumeric()).filter(|word| word.ends_with("Error"));
        words.map(str::to_owned).collect()
    };
    let workers = sources.iter().flat_map(|text| text.split("impl JobError for ").skip(1));
    let mut open: Vec<String> = workers.filter_map(|rest| words(rest.split('{').next().unwrap()).pop()).collect();
    // Wrapped without naming them.
    open.extend(["LfsError", "PackError"].map(str::to_owned));
    let mut found = BTreeSet::new();
    while let Some(name) = open.pop() {
        let is_of_text = ["CommitIdError", "CloneUrlError", "PatternsError"].contains(&name.as_str());
        if let Some(body) = body(sources, &name).filter(|_| !is_of_text)
            && found.insert(name)
        {
            open.extend(words(body));
        }
    }
    found
}

#[test]
fn every_job_error_has_runbook_row() {
    let (sections, sources) = (sections("Why a job failed"), sources());
    let errors = errors(&sources);
    assert_eq!(errors, sections.keys().cloned().collect());
    let mut count = 0;
    for name in &errors {
        let rows = sections[name].lines().filter(|line| line.starts_with("| `"));
        let rows: BTreeMap<&str, Vec<&str>> = rows
            .map(|row| {
                (row.split('`').nth(1).unwrap(), row.split(" | ").map(|cell| cell.trim_matches([' ', '|'])).collect())
            })
            .collect();
        let variants = variants(body(&sources, name).unwrap());
        assert_eq!(
            variants.keys().map(String::as_str).collect::<Vec<_>>(),
            rows.keys().copied().collect::<Vec<_>>(),
            "{name}"
        );
        for (variant, said) in variants {
            let said = said.map_or_else(|| "the words of its cause".to_owned(), |text| format!("`{text}`"));
            let [_, told, ends, action] = rows[variant.as_str()][..] else { panic!("{name}::{variant}") };
            assert_eq!(told, said, "{name}::{variant}");
            assert!(
                ["again", "when the host says", "given up", "over", "as its cause"].contains(&ends),
                "{variant}: {ends}"
            );
            assert!(!action.is_empty(), "{name}::{variant} says nothing to do");
            count += 1;
        }
    }
    assert!(count > 100, "only {count} errors");
    tally::tried(count);
}
