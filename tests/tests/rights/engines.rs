//! Three engines that evaluate permissions: the local account's, which authorizes real requests;
//! ours, which `diff` and `review` use for templates; and moto's, which is independent of both.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use deployment::diff::{Condition, Grant, Request, grants, permits};
use local::decisions::Decision;
use serde_json::{Value, json};

use crate::granted::Granted;
use crate::stage::Stage;

/// The decisions of the engines about a request.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// The role by its logical ID, the action, the resource and the context.
    pub(crate) request: Request,
    /// The local account's decision.
    pub(crate) account: bool,
    /// Ours.
    pub(crate) ours: bool,
    /// Moto's.
    pub(crate) moto: bool,
}

/// The local account.
const ACCOUNT: &str = "000000000000";

/// Known differences of moto: if a request lacks a key of a condition, moto considers the condition
/// fulfilled (`_check_conditions` in `moto/iam/access_control.py`). IAM considers it not fulfilled.
pub(crate) const MOTO_ALLOWS: [(&str, &str); 4] = [
    ("GitPullRole", "kms:Decrypt"),
    ("ReconcilerRole", "kms:Decrypt"),
    ("ReconcilerRole", "kms:GenerateDataKey"),
    ("SshKeyRole", "kms:Encrypt"),
];

/// Fails if the engines disagree, except for `moto_allows`, or if they agree about one of those.
pub(crate) fn agree(verdicts: &[Verdict], moto_allows: &[(&str, &str)]) -> Result<()> {
    let ours: Vec<_> = verdicts.iter().filter(|verdict| verdict.ours != verdict.account).collect();
    ensure!(ours.is_empty(), "our engine disagrees with the account: {ours:#?}");
    let moto: Vec<_> = verdicts.iter().filter(|verdict| verdict.moto != verdict.account).collect();
    let of_moto = moto.iter().map(|verdict| (verdict.request.who.as_str(), verdict.request.action.as_str()));
    let known = of_moto.eq(moto_allows.iter().copied())
        && moto.iter().all(|verdict| verdict.moto && verdict.request.context.is_empty());
    ensure!(known, "moto disagrees with the account, and not only where expected: {moto:#?}");
    Ok(())
}

/// The decisions of all three about the account's requests, each once.
pub(crate) fn decide(stage: &Stage, rights: &[Granted], decisions: &[Decision]) -> Result<Vec<Verdict>> {
    let roles: BTreeMap<_, _> = rights.iter().map(|right| (right.policy.role.as_str(), right.role.as_str())).collect();
    let mut asked = BTreeMap::new();
    for decision in decisions {
        let who = roles.get(decision.role.as_str()).with_context(|| format!("{} has no right", decision.role))?;
        let Decision { action, resource, context, .. } = decision.clone();
        let request = Request { who: (*who).to_owned(), action, resource, context };
        let before = asked.insert(request.clone(), decision.allowed);
        ensure!(before.is_none_or(|before| before == decision.allowed), "decided both ways: {request:?}");
    }
    let template = stage.template()?;
    let resolved = resolved(&template, rights, &stage.stack.name);
    let moto = moto(rights, asked.keys())?;
    let verdicts = asked.into_iter().zip(moto).map(|((request, account), moto)| {
        // Loopback counts as TLS.
        let mut over_tls = request.clone();
        over_tls.context.insert("aws:SecureTransport".to_owned(), "true".to_owned());
        Verdict { ours: permits(&resolved, &over_tls), account, moto, request }
    });
    Ok(verdicts.collect())
}

/// The template's rights, with resolved references.
fn resolved(template: &Value, rights: &[Granted], stack: &str) -> BTreeSet<Grant> {
    let pseudo = [("StackName", stack), ("Partition", "aws"), ("Region", local::aws::REGION), ("AccountId", ACCOUNT)];
    let pseudo = pseudo.map(|(name, value)| (format!("${{AWS::{name}}}"), value.to_owned()));
    let mut names = BTreeMap::from(pseudo);
    for right in rights {
        if let Some((name, rest)) = right.resource.strip_prefix("${").and_then(|text| text.split_once('}')) {
            let arn = right.arn.strip_suffix(rest).unwrap_or(&right.arn);
            names.insert(format!("${{{name}}}"), arn.to_owned());
        }
    }
    let resolve = |text: &str| names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    let grants = grants(template).into_iter();
    let grants = grants.map(|grant| Grant {
        resource: resolve(&grant.resource),
        conditions: grant
            .conditions
            .into_iter()
            .map(|condition| Condition {
                values: condition.values.iter().map(|value| resolve(value)).collect(),
                ..condition
            })
            .collect(),
        ..grant
    });
    grants.collect()
}

/// Moto's decisions about the requests.
fn moto<'r>(rights: &[Granted], requests: impl Iterator<Item = &'r Request>) -> Result<Vec<bool>> {
    let mut policies: BTreeMap<&str, BTreeMap<&str, &Value>> = BTreeMap::new();
    for right in rights {
        policies.entry(&right.role).or_default().insert(&right.policy.name, &right.policy.document);
    }
    let requests = requests.map(|request| {
        json!({ "role": request.who, "action": request.action, "resource": request.resource, "context": request.context })
    });
    let question = json!({ "policies": policies, "requests": requests.collect::<Vec<_>>() });
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("find the project's folder")?;
    let mut python = Command::new(root.join(".tools/moto/bin/python3"))
        .args(["-c", include_str!("moto_engine.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("start moto, which .ci/tools installs")?;
    python.stdin.take().context("ask moto")?.write_all(question.to_string().as_bytes())?;
    let answer = python.wait_with_output()?;
    ensure!(answer.status.success(), "moto failed");
    serde_json::from_slice(&answer.stdout).context("read moto's answer")
}
