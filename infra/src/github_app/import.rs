//! Imports a private key into a new KMS key that can only sign: nobody can read it from there.

use aws_sdk_kms::{
    Client,
    operation::create_alias::CreateAliasError,
    primitives::Blob,
    types::{AlgorithmSpec, ExpirationModelType, KeyUsageType, OriginType, WrappingKeySpec},
};
use deployment::account::Account;
use deployment::call_error::CallError;

use super::{KeyError, PrivateKey};

/// Why a key wasn't imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportKeyError {
    /// KMS couldn't be asked, or refused.
    #[error(transparent)]
    Call(#[from] CallError),
    /// KMS left a part of its answer out.
    #[error("KMS's answer has no {0}")]
    Lacks(&'static str),
    /// The key can't be wrapped.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The KMS key exists, without its material.
    #[error("the new KMS key {arn} has got no private key")]
    Empty {
        /// Its ARN.
        arn: String,
        /// The cause.
        source: Box<ImportKeyError>,
    },
}

impl ImportKeyError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Call(error) => error.hint(),
            Self::Empty { arn, .. } => Some(format!(
                "delete it (aws kms schedule-key-deletion --key-id {arn} --pending-window-in-days 7), and import the key again"
            )),
            _ => None,
        }
    }
}

/// Imports the key of the App with this ID, for a stack, and returns the ARN of the new KMS key. An
/// alias shows people what it is for. An older key of the App stays.
///
/// # Errors
/// KMS couldn't be asked, or refused.
pub async fn import(account: &Account, stack: &str, id: &str, key: &PrivateKey) -> Result<String, ImportKeyError> {
    let client = Client::new(&account.config);
    let description = format!("Signs for the GitHub App {id} of git2s3 stack {stack}");
    let request = client.create_key().description(description).key_spec(key.spec());
    let created = request.key_usage(KeyUsageType::SignVerify).origin(OriginType::External).send().await;
    let created = created.map_err(|error| CallError::new("create a KMS key", error))?;
    let arn = created.key_metadata.and_then(|metadata| metadata.arn).ok_or(ImportKeyError::Lacks("ARN"))?;
    let filled = fill(&client, &arn, key).await;
    filled.map_err(|source| ImportKeyError::Empty { arn: arn.clone(), source: Box::new(source) })?;
    name(&client, &format!("alias/git2s3-{stack}-github-app-{id}"), &arn).await?;
    Ok(arn)
}

/// <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-conceptual.html>
async fn fill(client: &Client, arn: &str, key: &PrivateKey) -> Result<(), ImportKeyError> {
    let algorithm = AlgorithmSpec::RsaAesKeyWrapSha256;
    let request = client.get_parameters_for_import().key_id(arn).wrapping_algorithm(algorithm);
    let parameters = request.wrapping_key_spec(WrappingKeySpec::Rsa4096).send().await;
    let parameters = parameters.map_err(|error| CallError::new("get parameters to import a key", error))?;
    let public = parameters.public_key.ok_or(ImportKeyError::Lacks("public key"))?;
    let token = parameters.import_token.ok_or(ImportKeyError::Lacks("import token"))?;
    let wrapped = Blob::new(key.wrapped(public.as_ref())?);
    let request = client.import_key_material().key_id(arn).import_token(token).encrypted_key_material(wrapped);
    let imported = request.expiration_model(ExpirationModelType::KeyMaterialDoesNotExpire).send().await;
    imported.map_err(|error| CallError::new("import the private key", error))?;
    Ok(())
}

/// Gives a key its alias. An older key of the same App had it.
async fn name(client: &Client, alias: &str, arn: &str) -> Result<(), ImportKeyError> {
    match client.create_alias().alias_name(alias).target_key_id(arn).send().await {
        Ok(_) => Ok(()),
        Err(error) if error.as_service_error().is_some_and(CreateAliasError::is_already_exists_exception) => {
            let moved = client.update_alias().alias_name(alias).target_key_id(arn).send().await;
            moved.map(drop).map_err(|error| CallError::new(format!("move the alias {alias}"), error).into())
        }
        Err(error) => Err(CallError::new(format!("create the alias {alias}"), error).into()),
    }
}
