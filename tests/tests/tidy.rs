//! House rules that no compiler and no lint checks.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use deployment::package::FUNCTIONS;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every file of the project, whether committed yet or not.
fn files() -> Vec<PathBuf> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    let out = git.output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let files: Vec<_> = String::from_utf8(out.stdout).unwrap().split_terminator('\0').map(PathBuf::from).collect();
    assert!(files.len() > 50, "only {} files", files.len());
    files.into_iter().filter(|file| root().join(file).is_file()).collect()
}

/// The files with one of these extensions, and their texts.
fn texts(extensions: &[&str]) -> Vec<(PathBuf, String)> {
    let is_one = |file: &PathBuf| file.extension().is_some_and(|found| extensions.iter().any(|one| found == *one));
    let files = files().into_iter().filter(is_one);
    files.map(|file| (file.clone(), std::fs::read_to_string(root().join(file)).unwrap())).collect()
}

fn sources() -> Vec<(PathBuf, String)> {
    texts(&["rs"])
}

/// Our crates that each crate may import. A new dependency is a decision: add it here, with the
/// reason in the commit.
const ARROWS: [(&str, &[&str]); 40] = [
    ("aws-names", &[]),
    ("blocking", &[]),
    ("cfn", &["aws-names"]),
    ("contract", &["aws-names"]),
    ("forge", &["contract"]),
    ("pack", &[]),
    // Parsed where it is used, and checked before it is deployed.
    ("known-hosts-file", &[]),
    // Its tests count round trips with the local network.
    ("fetch", &["blocking", "contract", "git-http", "https", "known-hosts-file", "local", "pack"]),
    // There is one way to record what a test has tried.
    ("tally", &[]),
    // The format alone, for what is made of a tree and for what comes from a provider.
    ("zip-writer", &[]),
    // What real git makes for a test.
    ("git-repository", &[]),
    // Real git behind TLS, for a test.
    ("git-http", &[]),
    // Its tests hold both zips of a commit to the same tree.
    ("archive", &["contract", "git-repository", "pack", "provider-zip", "tally", "zip-writer"]),
    ("provider-zip", &["contract", "git-repository", "zip-writer"]),
    ("store", &["aws-names", "contract"]),
    ("lambda-init", &[]),
    ("empty-bucket", &["aws-names"]),
    ("https", &["contract"]),
    // Speaks to the hosts of the configuration, by the rules of https.
    ("host-api", &["contract", "https"]),
    // The workers show a host the same token, in the form that forge knows.
    ("host-credentials", &["contract", "forge", "https", "secret"]),
    // Speaks to one host of the configuration, by the rules of https.
    ("github-app", &["contract", "https"]),
    ("secret", &["aws-names"]),
    // Tells the hosts of the configuration what became of a push.
    ("commit-status", &["aws-names", "contract", "github-app", "host-api", "host-credentials", "https", "secret"]),
    // What one function can reach, another one can.
    ("host-access", &["aws-names", "contract", "fetch", "forge", "github-app", "host-credentials", "https", "secret"]),
    // What became of a push, for those who wait for it.
    ("events", &["contract"]),
    // Without what a worker needs, since the webhook function has it.
    ("job-queue", &["aws-names", "contract"]),
    ("jobs", &["aws-names", "blocking", "contract", "events"]),
    ("custom-resource", &["aws-names", "contract", "lambda-init"]),
    ("webhook", &["aws-names", "contract", "forge", "job-queue", "lambda-init", "secret"]),
    (
        "gitpull",
        &[
            "archive",
            "aws-names",
            "blocking",
            "commit-status",
            "contract",
            "events",
            "fetch",
            "forge",
            "github-app",
            "tally",
            "host-access",
            "host-credentials",
            "https",
            "lambda-init",
            "jobs",
            "secret",
            "store",
        ],
    ),
    (
        "zipdl",
        &[
            "aws-names",
            "blocking",
            "commit-status",
            "contract",
            "events",
            "forge",
            "git-http",
            "host-credentials",
            "https",
            "lambda-init",
            "jobs",
            "provider-zip",
            "secret",
            "store",
        ],
    ),
    (
        "reconciler",
        &[
            "aws-names",
            "contract",
            "fetch",
            "git-http",
            "github-app",
            "host-access",
            "https",
            "job-queue",
            "lambda-init",
            "secret",
            "store",
            "tally",
        ],
    ),
    ("ssh-key", &["aws-names", "contract", "custom-resource", "lambda-init"]),
    ("bucket-cleaner", &["aws-names", "contract", "custom-resource", "empty-bucket"]),
    ("deployment", &["aws-names", "cfn", "contract", "empty-bucket", "known-hosts-file"]),
    ("infra", &["cfn", "contract", "deployment", "github-app", "host-api", "https"]),
    ("local", &["contract", "deployment", "forge", "git-http", "tally"]),
    (
        "tests",
        &[
            "contract",
            "deployment",
            "empty-bucket",
            "forge",
            "github-app",
            "host-api",
            "https",
            "infra",
            "local",
            "tally",
        ],
    ),
    ("bench", &["contract", "deployment", "git-http", "infra", "local", "pack"]),
    // Everything that parses untrusted bytes, and the tally.
    (
        "fuzz",
        &[
            "contract",
            "custom-resource",
            "fetch",
            "forge",
            "local",
            "jobs",
            "pack",
            "provider-zip",
            "secret",
            "webhook",
        ],
    ),
];

/// A crate's name without our common prefix.
fn short(package: &Value) -> &str {
    let name = package["name"].as_str().unwrap();
    name.strip_prefix("git2s3-").unwrap_or(name)
}

#[test]
fn imports_go_one_way() {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    let members: BTreeMap<&str, &Value> =
        metadata["packages"].as_array().unwrap().iter().map(|package| (short(package), package)).collect();

    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(known, members.keys().copied().collect(), "the list of crates");
    for (name, allowed) in ARROWS {
        for dependency in members[name]["dependencies"].as_array().unwrap() {
            let to = short(dependency);
            assert!(!members.contains_key(to) || allowed.contains(&to), "{name} imports {to}");
        }
    }
}

#[test]
fn top_level_shows_the_layout() {
    let files = files();
    let folders = |below: &str| -> BTreeSet<String> {
        let inside = files.iter().filter_map(|file| file.strip_prefix(below).ok());
        let inside = inside.filter(|file| file.components().count() > 1);
        let names = inside.map(|file| file.iter().next().unwrap().to_str().unwrap().to_owned());
        names.filter(|name| !name.starts_with('.')).collect()
    };
    let expected = ["bench", "crates", "docs", "functions", "fuzz", "infra", "local", "policy", "tests"];
    assert_eq!(folders(""), expected.map(str::to_owned).into());
    assert_eq!(folders("functions"), FUNCTIONS.map(str::to_owned).into());
    for name in folders("crates") {
        let text = std::fs::read_to_string(root().join("crates").join(&name).join("Cargo.toml")).unwrap();
        assert!(text.starts_with(&format!("[package]\nname = \"git2s3-{name}\"\n")), "{name}");
    }
}

/// The text of a comment, or of a page outside of its code blocks and tables, line by line.
fn prose(file: &Path, text: &str) -> Vec<(usize, String)> {
    let is_page = file.extension().is_some_and(|extension| extension == "md");
    let mut is_code = false;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let comment = line.trim_start().strip_prefix("//").map(|text| text.trim_start_matches(['/', '!']).trim());
        let Some(words) = (if is_page { Some(line.trim()) } else { comment }) else {
            is_code = false;
            continue;
        };
        is_code ^= words.starts_with("```");
        if !is_code && !words.starts_with('|') {
            lines.push((number + 1, line.to_owned()));
        }
    }
    lines
}

#[test]
fn prose_fits_in_100_characters() {
    let mut count = 0;
    for (file, text) in texts(&["rs", "md"]) {
        for (number, line) in prose(&file, &text) {
            // An address can't be broken.
            let is_short = line.chars().count() <= 100 || line.contains("](") || line.contains("://");
            assert!(is_short, "{}:{number} has {} characters", file.display(), line.chars().count());
            count += 1;
        }
    }
    assert!(count > 10_000, "only {count} lines");
}

#[test]
fn every_file_says_why_it_exists() {
    let silent: Vec<_> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(file, _)| file).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn no_ignored_tests_or_todos_remain() {
    let banned =
        [concat!("#[ign", "ore"), concat!("#[should_", "panic"), concat!("to", "do!("), concat!("unimpl", "emented!(")];
    for (file, text) in sources() {
        for word in banned {
            assert!(!text.contains(word), "{} has {word}", file.display());
        }
    }
}

#[test]
fn infra_prints_only_through_render() {
    let ways = ["anstream::", "print!(", "println!(", "stdout()", "stderr().lock", "io::Stdout", "io::Stderr"];
    let mut files = 0;
    for (file, text) in sources() {
        let is_of_infra = ["infra/src", "crates/deployment/src"].iter().any(|folder| file.starts_with(folder));
        if is_of_infra && !file.starts_with("crates/deployment/src/render") {
            for way in ways {
                assert!(!text.contains(way), "{} has {way}: print by render::print", file.display());
            }
            files += 1;
        }
    }
    assert!(files > 40, "only {files} files");
}

#[test]
fn files_mention_no_local_paths() {
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];
    for file in files() {
        let text = String::from_utf8_lossy(&std::fs::read(root().join(&file)).unwrap()).into_owned();
        for place in places {
            assert!(!text.contains(place), "{} mentions {place}", file.display());
        }
    }
}

#[test]
fn documented_paths_exist() {
    let mut count = 0;
    for (file, text) in texts(&["md"]) {
        for name in text.lines().flat_map(names) {
            let top = name.split('/').next().unwrap_or_default();
            let is_ours =
                ["bench", "crates", "docs", "functions", "fuzz", "infra", "local", "policy", "tests"].contains(&top);
            let is_pattern = name.contains(|character: char| "<*{ ".contains(character));
            // The records of runs on AWS: there are none yet.
            let is_made_later = name == "tests/acceptance";
            if is_ours && name.contains('/') && !is_pattern && !is_made_later {
                assert!(root().join(name).exists(), "{}: there is no {name}", file.display());
                count += 1;
            }
        }
    }
    assert!(count > 100, "only {count} paths");
}

/// Terms that the glossary in CONTRIBUTING.md has replaced, and what it says instead.
const OLD_TERMS: [(&str, &str); 9] = [
    (concat!("dead ", "letter"), "dead-letter message"),
    (concat!("dead ", "letters"), "dead-letter messages"),
    (concat!("ju", "dge"), "check, or linter"),
    (concat!("ju", "dges"), "checks, or linters"),
    (concat!("ju", "dged"), "checked"),
    (concat!("me", "nd"), "fix"),
    (concat!("me", "nded"), "fixed"),
    (concat!("bu", "ried"), "given up"),
    (concat!("stra", "nger"), "untrusted sender"),
];

#[test]
fn old_terms_stay_replaced() {
    let mut count = 0;
    // The glossary has both.
    let others = |(file, _): &(PathBuf, String)| file != Path::new("CONTRIBUTING.md");
    for (file, text) in texts(&["rs", "md", "guard", "py"]).into_iter().filter(others) {
        let text = text.to_lowercase();
        let is_word = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
        for (term, instead) in OLD_TERMS {
            for (at, _) in text.match_indices(term) {
                let (before, after) = (&text[..at], &text[at + term.len()..]);
                let is_part = is_word(before.chars().next_back()) || is_word(after.chars().next());
                assert!(is_part, "{}: {term} is now called {instead}", file.display());
            }
        }
        count += 1;
    }
    assert!(count > 500, "only {count} files");
}

/// The names of the tests in a file: functions with a test attribute or macro.
fn tests_in(text: &str) -> impl Iterator<Item = &str> {
    let marks = [concat!("#[te", "st]"), concat!("#[tokio::te", "st")];
    let starts = marks.into_iter().flat_map(|mark| text.split(mark).skip(1));
    starts.filter_map(|rest| rest.split_once("fn ")?.1.split(['(', '<']).next()).filter(|name| !name.starts_with('$'))
}

#[test]
fn tests_have_short_names() {
    let mut count = 0;
    for (file, text) in sources() {
        for name in tests_in(&text) {
            let words = name.split('_').count();
            let is_sentence = ["what", "who", "whatever"].iter().any(|word| name.starts_with(&format!("{word}_")));
            let is_short = (3..=6).contains(&words) && !is_sentence;
            assert!(is_short, "{}: {name}: a subject and an expectation, in three to six words", file.display());
            count += 1;
        }
    }
    assert!(count > 900, "only {count} tests");
}

const SECURITY: &str = "docs/security.md";

/// The table rows in a chapter of a page. The last column names tests, which must exist.
fn rows_with_tests(page: &str, chapter: &str) -> Vec<[String; 3]> {
    let page = std::fs::read_to_string(root().join(page)).unwrap();
    let chapter = page.split("\n## ").find(|text| text.starts_with(chapter)).unwrap();
    let sources: String = sources().into_iter().map(|(_, text)| text).collect();
    let lines = chapter.lines().filter(|line| line.starts_with("| ")).skip(1);
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows: Vec<[String; 3]> = lines.map(|line| cells(line).try_into().unwrap()).collect();
    for row in &rows {
        let [first, second, tests] = row;
        assert!(!first.is_empty() && !second.is_empty() && tests.contains('`'), "{row:?}");
        for name in names(tests) {
            // A macro generates the tests of the fuzz targets from their names.
            let is_there = sources.contains(&format!("fn {name}(")) || sources.contains(&format!("    {name} \""));
            assert!(is_there, "there is no test {name}");
        }
    }
    rows
}

/// The texts between backticks.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_old_attack_has_tests() {
    let mut numbers = Vec::new();
    for row in rows_with_tests(SECURITY, "The attacks on the old product") {
        let attack = format!("attack_{:0>2}_", row[0]);
        assert!(names(&row[2]).all(|name| name.starts_with(&attack)), "{row:?}");
        numbers.push(row[0].parse::<u8>().unwrap());
    }
    assert_eq!(numbers, (1..=13).collect::<Vec<_>>());
}

#[test]
fn every_threat_has_its_tests() {
    let rows = rows_with_tests(SECURITY, "Threats");
    assert!(rows.len() > 10, "{} rows", rows.len());
}

#[test]
fn every_hostile_input_has_tests() {
    let rows = rows_with_tests(SECURITY, "Hostile input");
    assert!(rows.len() > 20, "{} rows", rows.len());
}

#[test]
fn every_aws_fault_has_tests() {
    let rows = rows_with_tests("docs/decisions.md", "2026-11-29 What AWS would have shown");
    assert_eq!(rows.len(), 17);
}

/// Everything in a source that may be the name of a function.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !char.is_alphanumeric() && char != '_')
}

#[test]
fn every_promise_names_existing_tests() {
    // A macro defines the tests of the fuzz targets, so it counts that the name is there.
    let named_in = |text: &str| names_in(text).map(str::to_owned).collect::<BTreeSet<_>>();
    let mut tests: BTreeMap<_, _> = sources().into_iter().map(|(file, text)| (file, named_in(&text))).collect();
    tests.retain(|file, _| !file.ends_with("promises/list.rs"));
    // A module `tests` may be in the file of the module that it tests.
    let is_in = |file: &Path, modules: &[&str]| {
        let own: Vec<_> = file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
        modules.iter().all(|module| *module == "tests" || own.iter().any(|part| part == module))
    };
    for name in local::promises::PROMISES.iter().flat_map(|promise| promise.tests) {
        let path: Vec<&str> = name.split("::").collect();
        let (test, modules) = path.split_last().unwrap();
        let there = tests.iter().any(|(file, tests)| tests.contains(*test) && is_in(file, modules));
        assert!(there, "local/src/promises names {name}, which doesn't exist");
    }
}

/// Files that download: the recipes' scripts, the CI configuration, and the launcher.
fn fetching_files() -> Vec<(PathBuf, String)> {
    let fetches = |file: &PathBuf| {
        let is_lock = file.starts_with(".ci/locked");
        let others = ["Justfile", "justw"].map(Path::new).contains(&file.as_path());
        others || (!is_lock && (file.starts_with(".ci") || file.starts_with(".github")))
    };
    let files = files().into_iter().filter(fetches);
    files.map(|file| (file.clone(), std::fs::read_to_string(root().join(file)).unwrap())).collect()
}

/// Commands of a script, each on one line, without comments.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    joined.lines().filter(|line| !line.trim_start().starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn every_action_is_pinned_to_commit() {
    let mut count = 0;
    for (file, text) in fetching_files() {
        for line in text.lines().filter_map(|line| line.split_once("uses: ").map(|(_, used)| used)) {
            let (commit, version) =
                line.split_once('@').and_then(|(_, pin)| pin.split_once(" # v")).unwrap_or_default();
            let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_commit && !version.is_empty(), "{}: {line}", file.display());
            count += 1;
        }
    }
    assert!(count >= 3, "only {count} actions");
}

#[test]
fn nothing_is_fetched_without_a_hash() {
    let mut fetched = BTreeMap::new();
    for (file, text) in fetching_files() {
        for command in commands(&text) {
            let words: BTreeSet<&str> = command
                .split(|character: char| !character.is_alphanumeric() && character != '-' && character != '_')
                .collect();
            let has = |word: &&str| words.contains(word);
            for (program, demanded) in [
                ("pip", &["--require-hashes"][..]),
                ("npm", &["ci", "--ignore-scripts"]),
                ("npx", &["never"]),
                ("curl", &["require"]),
                ("wget", &["never"]),
            ] {
                // The script that writes the locks requests only versions and hashes.
                let writes_a_lock = ["--generate-hashes", "--package-lock-only"].iter().any(has);
                if words.contains(program) && !writes_a_lock {
                    // Sources are built only with locked packages, without the network.
                    let builds = ["--only-binary", "--no-build-isolation"];
                    let is_built_by_locked = program != "pip" || builds.iter().any(has);
                    assert!(demanded.iter().all(has) && is_built_by_locked, "{}: {command}", file.display());
                    *fetched.entry(program).or_insert(0) += 1;
                }
            }
        }
    }
    assert!(fetched["pip"] >= 3 && fetched["npm"] >= 1, "{fetched:?}");
}

#[test]
fn every_locked_package_has_hash() {
    let locked = root().join(".ci/locked");
    let read =
        |path: PathBuf| std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let inside = |folder: &str| std::fs::read_dir(locked.join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut packages = 0;
    for wanted in inside("python").filter(|path| path.extension().is_some_and(|extension| extension == "in")) {
        let lock = read(wanted.with_extension("txt"));
        let pinned: Vec<&str> = lock.split('\n').filter(|line| line.starts_with(char::is_alphanumeric)).collect();
        for line in read(wanted.clone()).lines().filter(|line| line.contains("==")) {
            let without_extra: String = line.split(['[', ']']).step_by(2).collect();
            let is_pinned = pinned.iter().any(|pin| pin.starts_with(&format!("{without_extra} ")));
            assert!(is_pinned, "{}: {line} isn't in the lock: run ./justw lock", wanted.display());
        }
        let entries = commands(&lock).into_iter().filter(|line| !line.trim().is_empty());
        for entry in entries {
            assert!(entry.contains("==") && entry.contains("--hash=sha256:"), "{}: {entry}", wanted.display());
            packages += 1;
        }
    }
    for folder in inside("node") {
        let json = |name: &str| serde_json::from_str::<Value>(&read(folder.join(name))).unwrap();
        let lock = json("package-lock.json");
        let wanted = &json("package.json")["dependencies"];
        assert_eq!(&lock["packages"][""]["dependencies"], wanted, "{}: run ./justw lock", folder.display());
        for (name, package) in lock["packages"].as_object().unwrap().iter().filter(|(name, _)| !name.is_empty()) {
            // A bundled package is covered by the hash of its container.
            let is_hashed = package["integrity"].as_str().is_some_and(|hash| hash.starts_with("sha512-"));
            assert!(is_hashed || package["inBundle"] == true, "{}: {name}", folder.display());
            assert!(package["resolved"].is_null(), "{}: {name} names a registry", folder.display());
            packages += 1;
        }
    }
    assert!(packages > 200, "only {packages} packages");
}
