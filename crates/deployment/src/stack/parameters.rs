//! The stack's parameters, under the established names.

use aws_names::BucketName;
use cfn::{Condition, Group, Parameter, ParameterHandle, Stack, Value, iam::Role};
use contract::{DeletedReferences, HostKind, KeepCommits, KeyLayout, custom::KeyType};

const GROUPS: [Group; 9] = [
    Group {
        title: "General",
        parameters: &[
            ("OutputBucketName", "Output bucket name"),
            ("CustomDomainName", "Custom domain name"),
            ("ApiSecret", "Webhook secrets"),
            ("AllowedIps", "Allowed addresses"),
            ("AllowedGitHosts", "Allowed Git hosts"),
            ("Repositories", "Repositories"),
            ("Refs", "Branches and tags"),
            ("MinimumSignature", "Weakest signature"),
            ("KeyLayout", "Layout of keys"),
        ],
    },
    Group {
        title: "Git pull",
        parameters: &[
            ("FetchOver", "Fetch over SSH or HTTPS"),
            ("KnownHosts", "Additional host keys"),
            ("KeyType", "SSH key type"),
            ("ExcludeGit", "Leave .git out of the zip"),
            ("Paths", "Files and folders"),
            ("Submodules", "Submodules"),
            ("Lfs", "Git LFS"),
            ("CaBundle", "Private certificate authorities"),
        ],
    },
    Group {
        title: "Zip download",
        parameters: &[
            ("GitToken", "Access token"),
            ("OAuthKey", "OAuth consumer's key (Bitbucket Cloud)"),
            ("OAuthSecret", "OAuth consumer's secret (Bitbucket Cloud)"),
            ("MaxArchiveBytes", "Largest archive in bytes"),
        ],
    },
    Group {
        title: "GitHub App",
        parameters: &[
            ("GitHubAppId", "ID of the App"),
            ("GitHubAppKey", "Key of the App"),
            ("GitHubAppHost", "Host of the App"),
        ],
    },
    Group {
        title: "Retention",
        parameters: &[
            ("KeepCommits", "Days that the zip of each commit is kept for"),
            ("DeletedReferences", "Zips of deleted branches and tags"),
            ("NoncurrentDays", "Days that replaced versions are kept for"),
            ("NewerNoncurrentVersions", "Replaced versions that are kept in any case"),
        ],
    },
    Group {
        title: "Operation",
        parameters: &[
            ("AlarmEmail", "Address that alarms are sent to"),
            ("CommitStatus", "Statuses of commits at the Git hosts"),
            ("ReconcileEvery", "Minutes between two comparisons with the hosts"),
            ("WorkerConcurrency", "Workers at once"),
            ("WebAclArn", "Web ACL"),
        ],
    },
    Group {
        title: "Roles",
        parameters: &[("PermissionsBoundary", "Permissions boundary"), ("RolePath", "Path of roles")],
    },
    Group { title: "Network", parameters: &[("VPCId", "VPC"), ("SubnetIds", "Subnets")] },
    Group { title: "Assets", parameters: &[("QSS3BucketName", "Asset bucket"), ("QSS3KeyPrefix", "Asset key prefix")] },
];

/// The parameters of the stack, and their conditions.
pub(super) struct Parameters {
    pub(super) output_bucket_name: ParameterHandle<String>,
    pub(super) custom_domain_name: ParameterHandle<String>,
    pub(super) api_secret: ParameterHandle<String>,
    pub(super) allowed_ips: ParameterHandle<String>,
    pub(super) repositories: ParameterHandle<String>,
    pub(super) refs: ParameterHandle<String>,
    pub(super) minimum_signature: ParameterHandle<String>,
    pub(super) key_layout: ParameterHandle<String>,
    pub(super) allowed_git_hosts: ParameterHandle<String>,
    pub(super) known_hosts: ParameterHandle<String>,
    pub(super) key_type: ParameterHandle<KeyType>,
    pub(super) exclude_git: ParameterHandle<String>,
    pub(super) submodules: ParameterHandle<String>,
    pub(super) lfs: ParameterHandle<String>,
    pub(super) paths: ParameterHandle<String>,
    pub(super) git_token: ParameterHandle<String>,
    pub(super) oauth_key: ParameterHandle<String>,
    pub(super) oauth_secret: ParameterHandle<String>,
    pub(super) github_app_id: ParameterHandle<String>,
    pub(super) github_app_key: ParameterHandle<String>,
    pub(super) github_app_host: ParameterHandle<String>,
    pub(super) ca_bundle: ParameterHandle<String>,
    pub(super) max_archive_bytes: ParameterHandle<String>,
    pub(super) keep_commits: ParameterHandle<String>,
    pub(super) deleted_references: ParameterHandle<String>,
    pub(super) noncurrent_days: ParameterHandle<String>,
    pub(super) newer_noncurrent_versions: ParameterHandle<String>,
    pub(super) alarm_email: ParameterHandle<String>,
    pub(super) reconcile_every: ParameterHandle<String>,
    pub(super) worker_concurrency: ParameterHandle<String>,
    pub(super) web_acl_arn: ParameterHandle<String>,
    pub(super) vpc_id: ParameterHandle<String>,
    pub(super) subnet_ids: ParameterHandle<String>,
    permissions_boundary: ParameterHandle<String>,
    role_path: ParameterHandle<String>,
    pub(super) asset_bucket: ParameterHandle<BucketName>,
    pub(super) asset_prefix: ParameterHandle<String>,
    pub(super) has_output_bucket_name: Condition,
    pub(super) keeps_commits: Condition,
    pub(super) expires_deleted_references: Condition,
    pub(super) leaves_delete_markers: Condition,
    pub(super) has_noncurrent_days: Condition,
    pub(super) has_newer_noncurrent_versions: Condition,
    pub(super) has_custom_domain: Condition,
    pub(super) has_api_secret: Condition,
    pub(super) has_alarm_email: Condition,
    pub(super) reconciles: Condition,
    pub(super) has_submodules: Condition,
    pub(super) has_web_acl: Condition,
    pub(super) has_vpc: Condition,
    pub(super) needs_ca_bundle: Condition,
    pub(super) has_https: Condition,
    pub(super) sets_statuses: Condition,
    pub(super) needs_tokens: Condition,
    pub(super) has_github_app: Condition,
    has_permissions_boundary: Condition,
}

impl Parameters {
    /// Adds all parameters and their conditions to the stack.
    pub(super) fn add(stack: &mut Stack) -> Self {
        stack.interface(&GROUPS);
        let output_bucket_name = stack.parameter("OutputBucketName", &output_bucket_name());
        let custom_domain_name = stack.parameter("CustomDomainName", &custom_domain_name());
        let api_secret = stack.parameter("ApiSecret", &api_secret());
        let keep_commits = stack.parameter("KeepCommits", &keep_commits());
        let deleted_references = stack.parameter("DeletedReferences", &deleted_references());
        let [expires_deleted_references, leaves_delete_markers] =
            of_deletions(stack, &keep_commits, &deleted_references);
        let noncurrent_days = stack.parameter("NoncurrentDays", &noncurrent_days());
        let newer_noncurrent_versions = stack.parameter("NewerNoncurrentVersions", &newer_noncurrent_versions());
        stack.requires(
            "DaysOfTheVersions",
            &newer_noncurrent_versions,
            &noncurrent_days,
            "With NewerNoncurrentVersions, NoncurrentDays says when the others go.",
        );
        let alarm_email = stack.parameter("AlarmEmail", &alarm_email());
        let reconcile_every = stack.parameter("ReconcileEvery", &reconcile_every());
        let submodules = stack.parameter("Submodules", &submodules());
        let web_acl_arn = stack.parameter("WebAclArn", &web_acl_arn());
        let vpc_id = stack.parameter("VPCId", &vpc_id());
        let subnet_ids = stack.parameter("SubnetIds", &subnet_ids());
        stack.requires("SubnetsOfTheVpc", &vpc_id, &subnet_ids, "With VPCId, SubnetIds names subnets of that VPC.");
        stack.requires("VpcOfTheSubnets", &subnet_ids, &vpc_id, "With SubnetIds, VPCId names their VPC.");
        let fetch_over = stack.parameter("FetchOver", &fetch_over());
        let lfs = stack.parameter("Lfs", &lfs());
        let commit_status = stack.parameter("CommitStatus", &commit_status());
        let github_app_id = stack.parameter("GitHubAppId", &github_app_id());
        let github_app_key = stack.parameter("GitHubAppKey", &github_app_key());
        require_both_of_app(stack, &github_app_id, &github_app_key);
        let permissions_boundary = stack.parameter("PermissionsBoundary", &permissions_boundary());
        Self {
            has_output_bucket_name: stack.given("HasOutputBucketName", &output_bucket_name),
            keeps_commits: stack.not_chosen("KeepsCommits", &keep_commits, KeepCommits::OFF),
            expires_deleted_references,
            leaves_delete_markers,
            has_noncurrent_days: stack.given("HasNoncurrentDays", &noncurrent_days),
            // With both, since a rule excludes the other combination: every outcome is checked.
            has_newer_noncurrent_versions: stack
                .given_both("HasNewerNoncurrentVersions", [&noncurrent_days, &newer_noncurrent_versions]),
            has_custom_domain: stack.given("HasCustomDomain", &custom_domain_name),
            has_api_secret: stack.given("HasApiSecret", &api_secret),
            has_alarm_email: stack.given("HasAlarmEmail", &alarm_email),
            reconciles: stack.not_chosen("Reconciles", &reconcile_every, "off"),
            has_submodules: stack.chosen("HasSubmodules", &submodules, "on"),
            has_web_acl: stack.given("HasWebAcl", &web_acl_arn),
            has_vpc: stack.given("HasVpc", &vpc_id),
            needs_ca_bundle: stack.chosen_or_given(
                "NeedsCaBundle",
                &[(&lfs, "on"), (&fetch_over, "https"), (&commit_status, "on")],
                &github_app_id,
            ),
            sets_statuses: stack.chosen("SetsStatuses", &commit_status, "on"),
            needs_tokens: stack.any_chosen("NeedsTokens", &[(&fetch_over, "https"), (&commit_status, "on")]),
            has_github_app: stack.given("HasGitHubApp", &github_app_id),
            has_https: stack.chosen("HasHttps", &fetch_over, "https"),
            has_permissions_boundary: stack.given("HasPermissionsBoundary", &permissions_boundary),
            permissions_boundary,
            role_path: stack.parameter("RolePath", &role_path()),
            lfs,
            output_bucket_name,
            custom_domain_name,
            api_secret,
            allowed_ips: stack.parameter("AllowedIps", &allowed_ips()),
            repositories: stack.parameter("Repositories", &repositories()),
            refs: stack.parameter("Refs", &refs()),
            minimum_signature: stack.parameter("MinimumSignature", &minimum_signature()),
            key_layout: stack.parameter("KeyLayout", &key_layout()),
            allowed_git_hosts: stack.parameter("AllowedGitHosts", &allowed_git_hosts()),
            known_hosts: stack.parameter("KnownHosts", &known_hosts()),
            key_type: stack.parameter("KeyType", &key_type()),
            exclude_git: stack.parameter("ExcludeGit", &exclude_git()),
            paths: stack.parameter("Paths", &paths()),
            submodules,
            git_token: stack.parameter("GitToken", &git_token()),
            oauth_key: stack.parameter("OAuthKey", &oauth_key()),
            oauth_secret: stack.parameter("OAuthSecret", &oauth_secret()),
            github_app_host: stack.parameter("GitHubAppHost", &github_app_host()),
            github_app_id,
            github_app_key,
            ca_bundle: stack.parameter("CaBundle", &ca_bundle()),
            max_archive_bytes: stack.parameter("MaxArchiveBytes", &max_archive_bytes()),
            keep_commits,
            deleted_references,
            noncurrent_days,
            newer_noncurrent_versions,
            alarm_email,
            reconcile_every,
            worker_concurrency: stack.parameter("WorkerConcurrency", &worker_concurrency()),
            web_acl_arn,
            vpc_id,
            subnet_ids,
            asset_bucket: stack.parameter("QSS3BucketName", &asset_bucket()),
            asset_prefix: stack.parameter("QSS3KeyPrefix", &asset_prefix()),
        }
    }
}

/// A GitHub App's ID and its key are given together.
fn require_both_of_app(stack: &mut Stack, id: &ParameterHandle<String>, key: &ParameterHandle<String>) {
    stack.requires(
        "KeyOfTheApp",
        id,
        key,
        "With GitHubAppId, GitHubAppKey is the ARN of the App's key, which `infra app` prints.",
    );
    stack.requires("AppOfTheKey", key, id, "With GitHubAppKey, GitHubAppId says which App it signs for.");
}

impl Parameters {
    /// Adds path and permissions boundary to a role, as every role of the stack has them.
    pub(super) fn confine(&self, role: Role) -> Role {
        let boundary = self.has_permissions_boundary.either(self.permissions_boundary.value(), Value::none());
        role.within(self.role_path.value(), boundary)
    }
}

/// Whether zips of deleted references expire, and whether anything leaves delete markers.
fn of_deletions(
    stack: &mut Stack,
    keep_commits: &ParameterHandle<String>,
    deleted_references: &ParameterHandle<String>,
) -> [Condition; 2] {
    let unexpiring = [DeletedReferences::KEEP, DeletedReferences::MARK];
    let choices: [(_, &[&str]); 2] = [(keep_commits, &[KeepCommits::OFF]), (deleted_references, &unexpiring)];
    [
        stack.none_chosen("ExpiresDeletedReferences", deleted_references, &unexpiring),
        stack.either_not_chosen("LeavesDeleteMarkers", &choices),
    ]
}

fn output_bucket_name() -> Parameter {
    Parameter::text("", "Name of the bucket that the zips go to. Generated when empty.").matching(
        "^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        "empty, or a bucket name of 3 to 63 lower-case letters, digits, dots and hyphens",
    )
}

fn keep_commits() -> Parameter {
    Parameter::text(
        KeepCommits::OFF,
        "For how many days the zip of each commit is kept at a key of its own, with a manifest, beside the one that moves \
         with its branch or tag; off: not at all.",
    )
    .matching("^off$|^[1-9][0-9]{0,3}$", "off, or a number of days from 1 to 9999")
    .at_most(4)
}

fn deleted_references() -> Parameter {
    Parameter::text(
        DeletedReferences::KEEP,
        "What is done with the zip of a branch or a tag that was deleted. keep: it stays; mark: it gets the tag git2s3=deleted; \
         a number: the tag, by which it is hidden within two days, and deleted so many days later.",
    )
    .matching("^keep$|^mark$|^[1-9][0-9]{0,3}$", "keep, mark, or a number of days from 1 to 9999")
    .at_most(4)
}

fn noncurrent_days() -> Parameter {
    Parameter::text(
        "",
        "For how many days a version of a zip is kept that a newer one has replaced. Kept until somebody deletes it when empty.",
    )
    .matching("^$|^[1-9][0-9]{0,3}$", "empty, or a number of days from 1 to 9999")
    .at_most(4)
}

fn newer_noncurrent_versions() -> Parameter {
    // S3 takes at most 100:
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_NoncurrentVersionExpiration.html
    Parameter::text(
        "",
        "How many replaced versions of each zip are kept in any case, however old they are. None when empty. Only with NoncurrentDays.",
    )
    .matching("^$|^[1-9][0-9]?$|^100$", "empty, or a number from 1 to 100")
    .at_most(3)
}

fn custom_domain_name() -> Parameter {
    // A certificate's first name is its common name, too, which X.509 gives 64 characters:
    // https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html
    Parameter::text("", "Domain of the endpoint, for which a certificate is made. The API's own domain when empty.")
        .matching(
            "^$|^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$",
            "empty, or a domain name in lower case of at most 64 characters",
        )
        .at_most(64)
}

fn api_secret() -> Parameter {
    Parameter::secret(
        "Webhook secrets, separated by commas, so that one can be rotated. [globs]secret is good for repositories \
         (host/owner/name) that the globs name. Without any, only AllowedIps lets requests in.",
    )
    .matching("^[^\"\\\\]*$", "no quotation mark and no backslash")
    .at_most(2048)
}

/// Entries `host=CIDR`, which `contract::AllowedIps` reads.
const ALLOWED_IPS: &str =
    "^$|^[0-9a-zA-Z.-]+=[0-9a-fA-F.:]+(/[0-9]{1,3})?(, *[0-9a-zA-Z.-]+=[0-9a-fA-F.:]+(/[0-9]{1,3})?)*$";

fn allowed_ips() -> Parameter {
    Parameter::text(
        "",
        "Addresses that need no secret, each for one host: host=CIDR, separated by commas. Good for what that host sends of its \
         own repositories, and of those only for the ones that Repositories names.",
    )
    .matching(ALLOWED_IPS, "host=CIDR such as bitbucket.org=192.0.2.0/24, separated by commas")
    .at_most(512)
}

/// Matches everything that `contract::Patterns` accepts, but not unpaired brackets or braces. A
/// regular expression can't count braces, so only the first has to open and the last to close.
const GLOBS: &str = concat!(
    r"^([^\[{}\\]|\\[\s\S]|\[[!^]?[\s\S][^\]]*\])*",
    r"(\{([^\[\\]|\\[\s\S]|\[[!^]?[\s\S][^\]]*\])*\}([^\[{}\\]|\\[\s\S]|\[[!^]?[\s\S][^\]]*\])*)?$"
);
const GLOBS_MEAN: &str = "globs such as acme/*, separated by commas; a bracket or brace that is opened is closed";

/// The same for the lines that `known_hosts_file` accepts. Any character that isn't visible ASCII
/// may be a blank.
const KNOWN_HOSTS: &str = concat!(
    r"^[^!-~\n]*(#[^\n]*|(@revoked[^!-~\n]+)?[^\s#]\S*[^!-~\n]+[a-z0-9@.-]+[^!-~\n]+[A-Za-z0-9+/=]+([^!-~\n][^\n]*)?)?",
    r"(\n[^!-~\n]*(#[^\n]*|(@revoked[^!-~\n]+)?[^\s#]\S*[^!-~\n]+[a-z0-9@.-]+[^!-~\n]+[A-Za-z0-9+/=]+([^!-~\n][^\n]*)?)?)*$"
);

/// The same for the list that `contract::AllowedHosts` accepts.
fn hosts() -> String {
    let name = r"[a-zA-Z0-9][a-zA-Z0-9-]*(\.[a-zA-Z0-9][a-zA-Z0-9-]*)*(:\+?[0-9]+)?";
    let user = "([a-zA-Z0-9._][a-zA-Z0-9._-]*@)?";
    let path = "(/[a-zA-Z0-9._~-]+)*/?";
    let kind = format!("({})", HostKind::ALL.map(HostKind::name).join("|"));
    let entry = format!(
        r"{user}{name}(={kind}(:\+?[0-9]+)?)?(\+private)?([^!-~]+(kind={kind}|ssh={user}{name}{path}|(web|api)=https://{name}{path}|private))*"
    );
    format!(r"^[^!-+\--~]*({entry}([^!-~]*,[^!-+\--~]*{entry})*)?[^!-+\--~]*$")
}

fn repositories() -> Parameter {
    Parameter::text(
        "",
        "Globs of host/owner/name that may be fetched, separated by commas; !glob excludes. Empty: any on an allowed host, \
         with a secret.",
    )
    .matching(GLOBS, GLOBS_MEAN)
    .at_most(1024)
}

fn refs() -> Parameter {
    Parameter::text(
        "",
        "Globs of branches and tags (main, release/*, refs/tags/v*) that are fetched, separated by commas; !glob excludes. \
         One of full names begins with refs/. Empty: all.",
    )
    .matching(GLOBS, GLOBS_MEAN)
    .at_most(512)
}

fn minimum_signature() -> Parameter {
    Parameter::text("sha1", "Weakest hash that a webhook may be signed with. Says nothing of tokens and passwords.")
        .one_of(&["sha1", "sha256"])
}

fn key_layout() -> Parameter {
    Parameter::text(
        KeyLayout::Path.name(),
        "What the keys of zips begin with: the path of the repository, or its host and path, for stacks that fetch from several \
         hosts.",
    )
    .one_of(&KeyLayout::ALL.map(KeyLayout::name))
}

fn allowed_git_hosts() -> Parameter {
    Parameter::text(
        "github.com,gitlab.com,bitbucket.org",
        "Hosts that may be fetched from, separated by commas. A host of your own: its name, then what is otherwise than usual, \
         such as: git.example.com kind=gitlab ssh=git@ssh.example.com:2222 web=https://git.example.com/gitlab private. Kinds \
         are github, gitlab, bitbucket, bitbucket-dc, gitea and azure; the public hosts' are known.",
    )
    .matching(&hosts(), "hosts such as git.example.com kind=gitlab ssh=git@ssh.example.com:2222 private, separated by commas")
    .at_most(768)
}

fn fetch_over() -> Parameter {
    Parameter::text(
        "ssh",
        "How gitpull reaches the hosts: over SSH with the key of the stack, or over HTTPS with the tokens in GitToken, \
         and without the key.",
    )
    .one_of(&["ssh", "https"])
}

fn known_hosts() -> Parameter {
    Parameter::text("", "Lines of a known_hosts file for self-hosted servers. The big providers' keys are built in.")
        .matching(KNOWN_HOSTS, "lines such as git.example.com ssh-ed25519 AAAA...")
        .at_most(1750)
}

fn key_type() -> Parameter {
    Parameter::text("ed25519", "Kind of SSH key. Azure DevOps takes rsa only. Another kind makes another key.")
        .one_of(&["ed25519", "rsa"])
}

fn exclude_git() -> Parameter {
    Parameter::text("True", "False puts a usable .git folder into the zip, with the one commit as its history.")
        .one_of(&["True", "False"])
}

fn submodules() -> Parameter {
    Parameter::text("off", "Whether the files of submodules on allowed hosts go into the zip.").one_of(&["off", "on"])
}

fn lfs() -> Parameter {
    Parameter::text("off", "Whether the files that Git LFS keeps go into the zip, and not what stands for them.")
        .one_of(&["off", "on"])
}

fn paths() -> Parameter {
    Parameter::text(
        "",
        "Globs of the files and folders (src, docs/**/*.md) that go into the zip, separated by commas; !glob excludes. \
         Empty: all.",
    )
    .matching(GLOBS, GLOBS_MEAN)
    .at_most(384)
}

/// Text that needs no escape in a JSON string, see [`cfn::secretsmanager::Secret::of_fields`].
const JSON_TEXT: &str = r"^[ !#-\[\]-~]*$";
const JSON_TEXT_MEANS: &str = "printable ASCII without quotation mark and backslash";

fn git_token() -> Parameter {
    Parameter::secret(
        "Access tokens that may read the repositories to download, or to fetch over HTTPS, or set commit statuses: host=token, \
         separated by commas. A token alone is for the first of AllowedGitHosts.",
    )
    .matching(JSON_TEXT, JSON_TEXT_MEANS)
    .at_most(2048)
}

fn oauth_key() -> Parameter {
    Parameter::text("", "Key of the OAuth consumer whose archives of Bitbucket Cloud are downloaded.")
        .matching(JSON_TEXT, JSON_TEXT_MEANS)
        .at_most(256)
}

fn oauth_secret() -> Parameter {
    Parameter::secret("Secret of that OAuth consumer.").matching(JSON_TEXT, JSON_TEXT_MEANS).at_most(256)
}

/// An App's ID, or its client ID: GitHub recommends the latter for signatures.
fn github_app_id() -> Parameter {
    Parameter::text(
        "",
        "ID or client ID of a GitHub App, with whose tokens gitpull fetches the repositories that have the App, over HTTPS \
         whatever FetchOver says. None when empty. `infra app create` makes one.",
    )
    .matching("^$|^[0-9]{1,20}$|^Iv[0-9A-Za-z.]{1,38}$", "empty, a number, or a client ID such as Iv23li0123456789abcd")
    .at_most(40)
}

fn github_app_key() -> Parameter {
    Parameter::text("", "ARN of the KMS key, of this region, that signs for the App. `infra app` imports it.")
        .matching(
            "^$|^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-z0-9-]{1,64}$",
            "empty, or the ARN of a key of KMS",
        )
        .at_most(128)
}

fn github_app_host() -> Parameter {
    Parameter::text(
        "github.com",
        "Host of AllowedGitHosts that the App is at: github.com, or a GitHub Enterprise Server. No other host gets its tokens.",
    )
    .matching(r"^[a-zA-Z0-9][a-zA-Z0-9-]*(\.[a-zA-Z0-9][a-zA-Z0-9-]*)*$", "a name such as github.com")
    .at_most(64)
}

fn ca_bundle() -> Parameter {
    Parameter::text(
        "",
        "Certificates, in PEM, of authorities to trust beside the public ones when archives and large files are downloaded, and \
         when gitpull fetches over HTTPS. Where Lfs is on, this and KnownHosts have 1,750 characters together, \
         1,550 with FetchOver=https, 1,250 with a GitHub App, and 1,100 with CommitStatus=on.",
    )
    .matching(
        r"^[^!-~]*$|^[\s\S]*-----BEGIN CERTIFICATE-----[\s\S]*-----END CERTIFICATE-----[\s\S]*$",
        "empty, or certificates in PEM",
    )
    .at_most(2540)
}

fn max_archive_bytes() -> Parameter {
    Parameter::text("10737418240", "How large a downloaded archive may be, in bytes.")
        .matching("^[1-9][0-9]{0,12}$", "a number of bytes")
        .at_most(13)
}

fn alarm_email() -> Parameter {
    Parameter::text(
        "",
        "Address that alarms are sent to, after its owner has agreed. When empty there are alarms, but nobody is told.",
    )
    .matching(r"^$|^[^@\s]+@[^@\s]+$", "empty, or a mail address")
    .at_most(254)
}

fn commit_status() -> Parameter {
    Parameter::text(
        "off",
        "Whether each commit gets a status at its Git host: that its zip is being made, where it is, or why there is none. Takes a \
         GitHub App that may write commit statuses, or such tokens in GitToken.",
    )
    .one_of(&["off", "on"])
}

fn reconcile_every() -> Parameter {
    Parameter::text(
        "30",
        "Every how many minutes what the hosts have is compared with what is stored, so that a push whose webhook was lost is \
         stored, too; off: never.",
    )
    .one_of(&["off", "15", "30", "60"])
}

fn worker_concurrency() -> Parameter {
    Parameter::text(
        "50",
        "How many workers of each kind run at once, at most. Both together have to fit into the account's limit.",
    )
    .matching("^([2-9]|[1-9][0-9]{1,2}|1000)$", "a number from 2 to 1000")
    .at_most(4)
}

fn web_acl_arn() -> Parameter {
    Parameter::text("", "ARN of a web ACL of WAF, of this region, that sees each request first. None when empty.")
        .matching(
            "^$|^arn:aws[a-z-]*:wafv2:[a-z0-9-]+:[0-9]{12}:regional/webacl/[a-zA-Z0-9_-]{1,128}/[0-9a-f-]{36}$",
            "empty, or the ARN of a regional web ACL",
        )
        .at_most(256)
}

/// A policy's name has at most 128 characters, its path 512:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
fn permissions_boundary() -> Parameter {
    Parameter::text("", "ARN of the policy that bounds the rights of every role of the stack. None when empty.")
        .matching(
            "^$|^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/([!-~]+/)?[A-Za-z0-9_+=,.@-]{1,128}$",
            "empty, or the ARN of a managed policy of IAM",
        )
        .at_most(700)
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
fn role_path() -> Parameter {
    Parameter::text("/", "Path that the stack's roles lie under, such as /delivery/. Another one makes them anew.")
        .matching("^/([!-~]+/)?$", "/, or a path that begins and ends with a slash")
        .at_most(512)
}

fn vpc_id() -> Parameter {
    Parameter::text("", "VPC to run the worker in, for a private Git host. None when empty.")
        .matching("^$|^vpc-[0-9a-f]+$", "empty, or the id of a VPC")
}

fn subnet_ids() -> Parameter {
    Parameter::text(
        "",
        "Subnets of that VPC, separated by commas, with a way to the Git hosts and to S3, SQS, KMS, Secrets Manager and EventBridge: a NAT \
         gateway, or VPC endpoints.",
    )
        .matching("^$|^subnet-[0-9a-f]+(,subnet-[0-9a-f]+)*$", "ids of subnets, separated by commas")
}

fn asset_bucket() -> Parameter {
    Parameter::required(
        "Bucket, in the region of the stack, that holds the packaged functions. `infra deploy` fills it in.",
    )
    .matching(
        "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        "a bucket name of 3 to 63 lower-case letters, digits, dots and hyphens",
    )
}

fn asset_prefix() -> Parameter {
    Parameter::text("", "What the keys of the packaged functions begin with. `infra deploy` fills it in.")
        .matching("^$|^[0-9a-zA-Z-/]*/$", "empty, or letters, digits, hyphens and slashes with a slash at the end")
}

#[cfg(test)]
mod tests {
    use contract::{AllowedHosts, Patterns, Refs, Repositories};
    use proptest::prelude::*;
    use regex::Regex;

    fn pattern(name: &str) -> Regex {
        let template = crate::stack::template(None).unwrap().into_value();
        Regex::new(template["Parameters"][name]["AllowedPattern"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn broken_values_fail_cloudformation_patterns() {
        let globs = &["[", "{", "}", "refs/heads/{main", "a,[", "}a{", "a\\", "[]"][..];
        let hosts = [
            "github.com=gitlub",
            "*",
            "github com",
            "git.example kind=svn",
            "git.example ssh=",
            "git.example web=http://a",
            "git.example/x",
            "kind=git",
            "-x@git.example",
            "a..b",
            "git.example:x",
        ];
        let keys =
            ["garbage", "git.example", "git.example ssh-ed25519", "# a\ngit.example", "@revoked git.example ssh-rsa"];
        let bundle = ["x", "-----BEGIN CERTIFICATE-----"];
        for (name, values) in [
            ("Repositories", globs),
            ("Refs", globs),
            ("Paths", globs),
            ("AllowedGitHosts", &hosts),
            ("KnownHosts", &keys),
            ("CaBundle", &bundle),
        ] {
            let pattern = pattern(name);
            for value in values {
                assert!(!pattern.is_match(value), "{name}={value:?}");
            }
            assert!(pattern.is_match("") && pattern.is_match("  "), "{name}");
        }
    }

    /// The text of a key, so that generated lines are sometimes valid.
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn parsed_host_keys_match_template_pattern() {
        let pattern = pattern("KnownHosts");
        for text in [
            format!("git.example {KEY}"),
            format!("# a\r\n\n\t[git.example]:2222,10.0.0.1\t {KEY} = a comment\r\n@revoked *.example {KEY}\n"),
            format!("|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= {KEY}"),
        ] {
            assert!(known_hosts_file::read(&text).all(|line| line.is_ok()), "{text}");
            assert!(pattern.is_match(&text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsed_globs_match_template_pattern(list in r"([a-c/*?,! \\\[\]{}^-]|\PC){0,16}") {
            if list.parse::<Repositories>().is_ok() {
                prop_assert!(pattern("Repositories").is_match(&list));
            }
            if list.parse::<Refs>().is_ok() {
                prop_assert!(pattern("Refs").is_match(&list));
            }
            if Patterns::parse("Paths", &list).is_ok() {
                prop_assert!(pattern("Paths").is_match(&list));
            }
        }

        #[test]
        fn parsed_hosts_match_template_pattern(
            list in "((git@)?[a-cA-C0-9]([.-]?[a-c]){0,2}(:\\+?[1-9]{1,2})?(=gitea(:443)?)?(\\+private)?|[ \t\u{a0}]|,| kind=azure| ssh=(x@)?a(:2)?(/~|/a|/){0,2}| web=https://[a-c]{0,2}(:8)?(/a|/){0,2}| api=https://b| private){0,6}",
        ) {
            if list.parse::<AllowedHosts>().is_ok() {
                prop_assert!(pattern("AllowedGitHosts").is_match(&list), "{}", list);
            }
        }

        #[test]
        fn odd_parsed_host_keys_match_pattern(
            lines in prop::collection::vec("(@revoked )?[a-z!*?,.|1=\\[\\]:é]{0,6}[ \t\u{a0}]{1,2}", 0..3), end in "[ #a-z\r\n]{0,4}",
        ) {
            let text: Vec<_> = lines.iter().map(|line| format!("{line}{KEY}{end}\n")).collect();
            let text = text.concat();
            if known_hosts_file::read(&text).all(|line| line.is_ok()) {
                prop_assert!(pattern("KnownHosts").is_match(&text), "{:?}", text);
            }
        }
    }
}
