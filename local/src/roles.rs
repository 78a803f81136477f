//! The roles of a stack in the local account: their inline policies, which tests reduce for a
//! while, and the roles' credentials.

use anyhow::{Context, Result};
use aws_credential_types::Credentials;
use serde_json::{Value, json};

use crate::aws::Account;
use crate::call::Call;

/// A role's inline policy.
#[derive(Clone, Debug)]
pub struct InlinePolicy {
    /// The role's name.
    pub role: String,
    /// The policy's name.
    pub name: String,
    /// The policy.
    pub document: Value,
}

impl InlinePolicy {
    /// Reads the policy from the account.
    ///
    /// # Errors
    /// It doesn't exist.
    pub async fn get(account: &Account, role: &str, name: &str) -> Result<Self> {
        let parameters = [("RoleName", role), ("PolicyName", name)];
        let answer = account.send(&Call::query("iam", "GetRolePolicy", &parameters)).await?.text()?;
        let document = element(&answer, "PolicyDocument")?;
        let document: String = form_urlencoded::parse(format!("d={}", document.replace('+', "%2B")).as_bytes())
            .map(|(_, value)| value.into_owned())
            .collect();
        let document = serde_json::from_str(&document).with_context(|| format!("read the policy {name} of {role}"))?;
        Ok(Self { role: role.to_owned(), name: name.to_owned(), document })
    }

    /// The same without an action. `None` if no action remains.
    pub fn without(&self, action: &str) -> Option<Self> {
        let mut document = self.document.clone();
        for statement in document["Statement"].as_array_mut()? {
            let left = actions(statement).into_iter().filter(|other| other != action).collect::<Vec<_>>();
            statement["Action"] = json!(left);
        }
        let is_empty = document["Statement"].as_array()?.iter().all(|statement| statement["Action"] == json!([]));
        (!is_empty).then(|| Self { document, ..self.clone() })
    }

    /// Attaches it to the role.
    ///
    /// # Errors
    /// IAM refuses.
    pub async fn put(&self, account: &Account) -> Result<()> {
        let document = self.document.to_string();
        let parameters = [("RoleName", &*self.role), ("PolicyName", &*self.name), ("PolicyDocument", &*document)];
        account.send(&Call::query("iam", "PutRolePolicy", &parameters)).await?.text().map(drop)
    }

    /// Removes it from the role.
    ///
    /// # Errors
    /// IAM refuses.
    pub async fn delete(&self, account: &Account) -> Result<()> {
        let parameters = [("RoleName", &*self.role), ("PolicyName", &*self.name)];
        account.send(&Call::query("iam", "DeleteRolePolicy", &parameters)).await?.text().map(drop)
    }
}

/// The actions of a statement.
pub fn actions(statement: &Value) -> Vec<String> {
    texts(&statement["Action"])
}

/// The resources of a statement.
pub fn resources(statement: &Value) -> Vec<String> {
    texts(&statement["Resource"])
}

fn texts(value: &Value) -> Vec<String> {
    let one = value.as_str().map(str::to_owned);
    let list = value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    one.into_iter().chain(list).collect()
}

/// The account with the role's credentials. The local account lets its owner assume any role,
/// whatever its trust policy says.
///
/// # Errors
/// There is no such role.
pub async fn assume(account: &Account, role: &str) -> Result<Account> {
    Account::seen_by(&account.endpoint, credentials(account, role).await?).await
}

/// The role's credentials.
///
/// # Errors
/// There is no such role.
pub async fn credentials(account: &Account, role: &str) -> Result<Credentials> {
    let arn = format!("arn:aws:iam::000000000000:role/{role}");
    let assume = Call::query("sts", "AssumeRole", &[("RoleArn", &arn), ("RoleSessionName", "test")]);
    let answer = account.send(&assume).await?.text()?;
    let [key, secret, token] = ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|name| element(&answer, name));
    Ok(Credentials::new(key?, secret?, Some(token?.to_owned()), None, "a role"))
}

/// The text of an XML element without markup inside.
fn element<'a>(xml: &'a str, name: &str) -> Result<&'a str> {
    let rest = xml.split_once(&format!("<{name}>")).map(|(_, rest)| rest);
    let text = rest.and_then(|rest| rest.split_once(&format!("</{name}>"))).map(|(text, _)| text);
    text.with_context(|| format!("no {name} in {xml}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(statements: &Value) -> InlinePolicy {
        InlinePolicy { role: "r".to_owned(), name: "p".to_owned(), document: json!({ "Statement": statements }) }
    }

    #[test]
    fn removed_action_leaves_other_actions() {
        let both = policy(&json!([{ "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "x" }]));
        let left = both.without("s3:GetObject").unwrap();
        assert_eq!(actions(&left.document["Statement"][0]), ["s3:PutObject"]);
        assert!(left.without("s3:PutObject").is_none());
        assert!(policy(&json!([{ "Action": "s3:PutObject", "Resource": "x" }])).without("s3:PutObject").is_none());
    }

    #[test]
    fn element_text_is_read_between_tags() {
        assert_eq!(element("<A><B>x</B></A>", "B").unwrap(), "x");
        assert!(element("<A></A>", "B").is_err());
    }
}
