//! The review page for readers: in a browser, wide and narrow, light and dark, printed, without
//! JavaScript, and with a screen reader; and the picture in the README.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::path::{Path, PathBuf};
use std::process::Command;

use deployment::deploy::{Parameters, Settings};
use deployment::diff::Diff;
use deployment::stack;
use infra::check::{Rules, check};
use infra::review::{Checkout, Owner, Review, Subject, html};
use local::empty_account;
use local::process::built;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How much people read before signing, in a quarter of an hour.
const WORDS: u64 = 1_800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The browser's measurements of the page.
fn seen(page: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("review.html");
    std::fs::write(&file, page).unwrap();
    let tools = root().join(".tools");
    let output = Command::new(tools.join("py/bin/node"))
        .arg(root().join("tests/review.cjs"))
        .args([&file, &root().join("docs/architecture.svg"), Path::new("/usr/bin/chromium")])
        .env("NODE_PATH", tools.join("browser/node_modules"))
        // The profile of Chromium.
        .env("HOME", folder.path())
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The stack before an update that changes, replaces, removes and adds resources, grants and
/// revokes a right, and opens a network path.
fn before(template: &Value) -> Value {
    let mut old = template.clone();
    let resources = &mut old["Resources"];
    resources["WebhookFunction"]["Properties"]["MemorySize"] = json!(128);
    resources["GitPullQueue"]["Properties"]["FifoQueue"] = json!(false);
    resources["WorkerSecurityGroup"]["Properties"]["SecurityGroupEgress"][0]["ToPort"] = json!(443);
    resources["OldTopic"] = json!({ "Type": "AWS::SNS::Topic", "Properties": {} });
    resources.as_object_mut().unwrap().shift_remove("KeyEncryptionKeyAlias");
    let right = json!({
        "Effect": "Allow", "Action": "kms:Decrypt", "Resource": { "Fn::GetAtt": ["KeyEncryptionKey", "Arn"] },
    });
    let policies = |role: &str| format!("/{role}/Properties/Policies");
    let webhook = resources.pointer_mut(&format!("{}/0/PolicyDocument/Statement", policies("WebhookRole"))).unwrap();
    webhook.as_array_mut().unwrap().push(right);
    resources.pointer_mut(&policies("ZipDlRole")).unwrap().as_array_mut().unwrap().pop();
    old["Parameters"]["Refs"]["Default"] = json!("main");
    old
}

/// The page of an update of an existing stack.
fn page_of_an_update() -> String {
    let template = stack::template(None).unwrap();
    let rules = Rules::embedded().unwrap();
    let report = check(&template, &rules).unwrap();
    let given = Parameters::default().with("Refs", "main,release/*").with("Repositories", "github.com/acme/**");
    let kept = [("Refs", "main"), ("AllowedIps", "bitbucket.org=192.0.2.0/24"), ("ApiSecret", "****")];
    let kept = kept.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let subject = Subject {
        stack: "git2s3-production".to_owned(),
        owner: Some(Owner {
            account: "111122223333".to_owned(),
            region: "eu-central-1".to_owned(),
            principal: "arn:aws:sts::111122223333:assumed-role/Administrator/somebody@example.com".to_owned(),
        }),
        checkout: Some(Checkout { commit: "c0e67cc1745f42eadc9f196c5643bea85232740e".to_owned(), changed: 0 }),
        sha256: "b119fe2a001a0455a97e4209776c5a9be80409534d2f2d07b9f5e1a54e80c5bc".to_owned(),
        is_packaged: true,
        time: "2026-11-30 08:09:54 UTC".to_owned(),
        version: "0.1.0",
    };
    html(&Review {
        subject: &subject,
        template: &template,
        rules: &rules,
        report: &report,
        diff: Some(("deployed".to_owned(), Diff::between(&before(template.value()).into(), &template))),
        settings: &Settings::new(&template, &given, Some(&kept)),
    })
}

#[test]
fn review_page_is_accessible_and_standalone() {
    let seen = seen(&page_of_an_update());
    for way in ["wide", "dark", "middle", "narrow", "printed"] {
        let seen = &seen[way];
        assert_eq!(seen["requests"], 1, "{way}: the page asks for more than itself");
        for (what, expected) in [
            ("errors", json!([])),
            ("unnamedTables", json!(0)),
            ("headlessRows", json!(0)),
            ("namelessFields", json!(0)),
            ("deadLinks", json!(0)),
            ("overflows", json!(false)),
            ("spilling", json!([])),
            ("meeting", json!([])),
            ("faint", json!([])),
            ("beyond", json!([])),
        ] {
            assert_eq!(seen[what], expected, "{way}: {what}");
        }
        assert!(seen["tables"].as_u64().unwrap() >= 8 && seen["boxes"].as_u64().unwrap() >= 18, "{way}");
        let words = seen["words"].as_u64().unwrap();
        assert!((700..WORDS).contains(&words), "{way}: {words} words");
        // On paper a pixel is 0.26 mm: 9 of them are a footnote's text size. The picture shrinks
        // with the sheet.
        let (smallest, least) = (seen["smallest"].as_f64().unwrap(), if way == "printed" { 9.0 } else { 11.0 });
        assert!(smallest >= least, "{way}: characters of {smallest} px");
    }
    // Only the picture scrolls, and only if it would become too small otherwise. On paper, nothing
    // does.
    for (way, scrolling) in [("wide", json!([])), ("narrow", json!(["scroll"])), ("printed", json!([]))] {
        assert_eq!(seen[way]["scrolling"], scrolling, "{way}");
    }
    for paper in ["paper", "picturePaper"] {
        assert_ne!(seen["wide"][paper], seen["dark"][paper]);
        assert_eq!(seen["printed"][paper], "rgb(255, 255, 255)", "paper is white, also for who reads in the dark");
    }
    // Folded parts aren't printed until somebody opens them.
    let sheets = |folds: &str| seen["sheets"][folds].as_u64().unwrap();
    assert!(sheets("shut") <= 7 && sheets("open") >= sheets("shut") + 4, "{}", seen["sheets"]);

    // A screen reader reads the same without script and on a narrow screen, and has the picture as
    // text.
    let said = seen["said"].as_array().unwrap();
    assert!(said.contains(&json!("webhook to gitpull jobs: SendMessage")), "{said:#?}");
    let aria = seen["wide"]["aria"].as_str().unwrap();
    assert_eq!(seen["dark"]["aria"], aria);
    assert_eq!(seen["narrow"]["rows"], seen["wide"]["rows"]);
    let outline: Vec<&str> = aria
        .lines()
        .map(str::trim)
        .filter(|line| {
            ["- heading", "- table", "- img", "- navigation", "- region"].iter().any(|role| line.starts_with(role))
        })
        .collect();
    insta::assert_snapshot!(outline.join("\n"));

    // The README shows the picture in its own column.
    for scheme in ["light", "dark"] {
        let picture = &seen["readme"][scheme];
        let smallest = picture["smallest"].as_f64().unwrap();
        assert!(smallest >= 12.0, "{scheme}: characters of {smallest} px");
        for what in ["faint", "spilling", "meeting"] {
            assert_eq!(picture[what], json!([]), "{scheme}: {what}");
        }
    }
}

#[tokio::test]
async fn review_describes_synthesized_template() {
    let account = empty_account::start().await;
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let infra = |arguments: &'static [&'static str], credentials: bool| {
        let mut infra = tokio::process::Command::new(built("infra").unwrap());
        infra.args(arguments).current_dir(dir.path()).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        infra.env("AWS_ENDPOINT_URL", account.uri()).env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", dir.path());
        if credentials {
            infra.env("AWS_ACCESS_KEY_ID", "A").env("AWS_SECRET_ACCESS_KEY", "x").env("AWS_REGION", "eu-west-1");
        }
        async move {
            let output = infra.output().await.unwrap();
            assert!(output.status.success(), "{arguments:?}: {output:?}");
            output.stdout
        }
    };
    infra(&["synth"], false).await;
    let template = std::fs::read(dir.path().join("dist/git2s3.template.json")).unwrap();
    let hash = hex::encode(Sha256::digest(template));
    let page = || std::fs::read_to_string(dir.path().join("dist/review.html")).unwrap();

    let told: Value =
        serde_json::from_slice(&infra(&["review", "--json", "--stack-name", "mine"], true).await).unwrap();
    assert_eq!(told["sha256"], hash.as_str());
    let shown = page().replace("</span><wbr><span>", "");
    for said in [hash.as_str(), "stack mine", "111122223333", "eu-west-1", "user/"] {
        assert!(shown.contains(said), "{said}");
    }
    let asked = account.received_requests().await.unwrap().len();

    infra(&["review"], false).await;
    assert!(page().contains("not looked up") && !page().contains("111122223333"));
    assert_eq!(account.received_requests().await.unwrap().len(), asked, "nobody said as whom AWS is to be asked");
}
