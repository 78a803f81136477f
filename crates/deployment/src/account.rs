//! The AWS account, its region and the clients for it: determined once, before anything is done
//! there.

use aws_config::profile::{self, ProfileFileCredentialsProvider, ProfileFileLoadError};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sts::config::SharedHttpClient;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_types::os_shim_internal::{Env, Fs};

use crate::call_error::CallError;

/// An AWS account, one region of it, and the clients that a deployment needs.
#[derive(Debug, Clone)]
pub struct Account {
    /// The account ID, 12 digits.
    pub id: String,
    /// The region, `eu-central-1` for example.
    pub region: String,
    /// The ARN of the user or role session that the credentials belong to.
    pub principal: String,
    /// The endpoint of an AWS emulator; `None` on AWS.
    pub(crate) endpoint: Option<String>,
    /// The configuration for other clients.
    pub config: SdkConfig,
    /// The CloudFormation client.
    pub cloudformation: aws_sdk_cloudformation::Client,
    /// The S3 client.
    pub s3: aws_sdk_s3::Client,
}

/// Why the account can't be determined.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// No region is configured.
    #[error("no region is configured")]
    NoRegion,
    /// The profile is not in AWS's files. Without it, another account could be used.
    #[error("there is no profile {name}, which {named_by} names")]
    NoProfile {
        /// The profile.
        name: String,
        /// What names it.
        named_by: &'static str,
    },
    /// AWS's files can't be read.
    #[error("cannot read AWS's configuration files")]
    Profiles(#[source] ProfileFileLoadError),
    /// There are no credentials.
    #[error("no credentials are configured")]
    NoCredentials,
    /// The configured credentials can't be loaded.
    #[error("cannot get the configured credentials")]
    Credentials(#[source] CredentialsError),
    /// AWS did not say whose the credentials are.
    #[error("cannot find out whose the credentials are")]
    Identity(#[source] CallError),
    /// AWS answered without an account.
    #[error("the credentials belong to no account")]
    NoAccount,
}

impl AccountError {
    /// What to do about it, if known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoRegion => Some("name one: `--region eu-central-1`, or AWS_REGION".to_owned()),
            Self::NoProfile { .. } => Some(
                "`aws configure list-profiles` lists those that there are, in ~/.aws/config and ~/.aws/credentials or where \
                 AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE say"
                    .to_owned(),
            ),
            Self::NoCredentials | Self::Credentials(_) => Some(
                "sign in (`aws sso login`), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                    .to_owned(),
            ),
            Self::Identity(error) => error.hint(),
            Self::Profiles(_) | Self::NoAccount => None,
        }
    }
}

/// Region and profile as one source gives them.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The region.
    pub region: Option<String>,
    /// The profile of AWS's configuration files.
    pub profile: Option<String>,
}

/// The configuration for AWS, and a warning if a named setting isn't used.
#[derive(Debug)]
pub struct Chosen {
    /// With region and credentials.
    pub config: SdkConfig,
    /// The profile of AWS's files, if one is used.
    pub profile: Option<String>,
    /// What was named but isn't used.
    pub remark: Option<String>,
}

/// Determines the configuration for AWS: from flags, else from the environment (`AWS_ENDPOINT_URL`
/// included), else from `file`, which is git2s3.toml, else from AWS's own files. A flag's profile
/// has precedence over credentials of the environment, and those over a profile of the environment:
/// [as for the AWS
/// CLI](https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-quickstart.html).
///
/// # Errors
/// A named profile doesn't exist.
pub async fn configuration(flags: Wanted, file: Wanted) -> Result<Chosen, AccountError> {
    let region = flags.region.or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
    let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(https.clone());
    if let Some(region) = region.or(file.region) {
        loader = loader.region(Region::new(region));
    }
    if let Some(name) = flags.profile {
        demand(&name, "--profile").await?;
        let config = of_profile(&name, loader, https).await;
        return Ok(Chosen { config, profile: Some(name), remark: None });
    }
    if let Some(name) = variable("AWS_PROFILE") {
        demand(&name, "AWS_PROFILE").await?;
        return Ok(Chosen { config: loader.load().await, profile: Some(name), remark: None });
    }
    let Some(name) = file.profile else {
        return Ok(Chosen { config: loader.load().await, profile: None, remark: None });
    };
    let Some(source) = credentials_of_the_environment() else {
        demand(&name, "git2s3.toml").await?;
        let config = of_profile(&name, loader, https).await;
        return Ok(Chosen { config, profile: Some(name), remark: None });
    };
    // CI has credentials, but not the developers' profile.
    if exists(&name).await? {
        loader = loader.profile_name(&name);
    }
    let remark =
        format!("the credentials of {source} come before profile {name} of git2s3.toml; --profile comes before both");
    Ok(Chosen { config: loader.load().await, profile: None, remark: Some(remark) })
}

/// Uses the profile only: if it has no credentials, the machine's could belong to another account.
async fn of_profile(name: &str, loader: ConfigLoader, https: SharedHttpClient) -> SdkConfig {
    let config = loader.profile_name(name).load().await;
    let around = ProviderConfig::without_region().with_region(config.region().cloned()).with_http_client(https);
    let provider = ProfileFileCredentialsProvider::builder().configure(&around).profile_name(name).build();
    config.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
}

/// An environment variable that isn't empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The environment variable with credentials, if there is one.
fn credentials_of_the_environment() -> Option<&'static str> {
    let all = [
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    all.into_iter().find(|name| variable(name).is_some())
}

/// Whether the environment selects credentials. Without that, finding some may query the machine's
/// network.
pub fn is_chosen_by_the_environment() -> bool {
    variable("AWS_PROFILE").is_some() || credentials_of_the_environment().is_some()
}

async fn demand(name: &str, named_by: &'static str) -> Result<(), AccountError> {
    if exists(name).await? { Ok(()) } else { Err(AccountError::NoProfile { name: name.to_owned(), named_by }) }
}

#[expect(deprecated, reason = "the type has another name in a crate that nothing else here needs")]
async fn exists(name: &str) -> Result<bool, AccountError> {
    let profiles =
        profile::load(&Fs::real(), &Env::real(), &profile::profile_file::ProfileFiles::default(), None).await;
    Ok(profiles.map_err(AccountError::Profiles)?.get_profile(name).is_some())
}

impl Account {
    /// The account of the configuration's credentials.
    ///
    /// # Errors
    /// Region or credentials are missing, or AWS does not accept them.
    pub async fn open(config: &SdkConfig) -> Result<Self, AccountError> {
        let region = config.region().ok_or(AccountError::NoRegion)?.to_string();
        let provider = config.credentials_provider().ok_or(AccountError::NoCredentials)?;
        if let Err(error) = provider.provide_credentials().await {
            return Err(match error {
                CredentialsError::CredentialsNotLoaded(_) => AccountError::NoCredentials,
                error => AccountError::Credentials(error),
            });
        }
        let identity = aws_sdk_sts::Client::new(config).get_caller_identity().send().await;
        let identity =
            identity.map_err(|error| AccountError::Identity(CallError::new("ask AWS for the account", error)))?;
        let id = identity.account.ok_or(AccountError::NoAccount)?;
        let principal = identity.arn.unwrap_or_default();

        let endpoint = config.endpoint_url().map(|url| url.trim_end_matches('/').to_owned());
        // Bucket names as host names need a domain, which an emulator lacks.
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(endpoint.is_some()).build();
        Ok(Self {
            id,
            region,
            principal,
            endpoint,
            config: config.clone(),
            cloudformation: aws_sdk_cloudformation::Client::new(config),
            s3: aws_sdk_s3::Client::from_conf(s3),
        })
    }

    /// An API's public URL as this machine reaches it. On AWS that is the URL itself; an emulator
    /// has no DNS, and serves its APIs below a path of its own endpoint.
    pub fn reachable(&self, url: &str) -> String {
        reachable(self.endpoint.as_deref(), url)
    }

    /// Whether this is AWS and not an emulator.
    pub fn is_aws(&self) -> bool {
        self.endpoint.is_none()
    }
}

fn reachable(endpoint: Option<&str>, url: &str) -> String {
    let Some(endpoint) = endpoint else { return url.to_owned() };
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    match host.split_once(".execute-api.") {
        Some((api, _)) => format!("{endpoint}/_aws/execute-api/{api}/{path}"),
        None => format!("{endpoint}/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;

    use super::*;

    #[tokio::test]
    async fn missing_region_or_credentials_are_reported() {
        let bare = || SdkConfig::builder().behavior_version(BehaviorVersion::latest());
        let error = Account::open(&bare().build()).await.unwrap_err();
        assert!(matches!(error, AccountError::NoRegion) && error.hint().unwrap().contains("AWS_REGION"));

        let error = Account::open(&bare().region(Region::new("eu-central-1")).build()).await.unwrap_err();
        assert!(matches!(error, AccountError::NoCredentials) && error.hint().unwrap().contains("AWS_PROFILE"));
    }

    #[test]
    fn local_endpoint_rewrites_api_url() {
        let own = "https://a1.execute-api.eu-central-1.amazonaws.com/Prod/zipdl";
        let domain = "https://git.example.com/zipdl";
        assert_eq!([own, domain].map(|url| reachable(None, url)), [own, domain]);
        let local = "http://127.0.0.1:4566";
        let expected = [format!("{local}/_aws/execute-api/a1/Prod/zipdl"), format!("{local}/zipdl")];
        assert_eq!([own, domain].map(|url| reachable(Some(local), url)), expected);
    }

    #[tokio::test]
    async fn unreachable_endpoint_error_keeps_its_cause() {
        let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "test")))
            .retry_config(aws_config::retry::RetryConfig::disabled())
            .http_client(https)
            .endpoint_url("http://127.0.0.1:1")
            .build();
        let error = anyhow::Error::from(Account::open(&config).await.unwrap_err());
        let chain: Vec<_> = error.chain().map(ToString::to_string).collect();
        assert!(chain.len() > 2 && chain.iter().any(|cause| cause.contains("onnect")), "{chain:?}");
    }
}
