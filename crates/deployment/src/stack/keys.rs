//! The SSH key: created once, and encrypted with the stack's own KMS key.

use cfn::{
    Attributes, Handle, Stack, TemplateError,
    cloudformation::CustomResource,
    iam::{Action, Evidence, Grant, Role},
    kms::{Alias, Key},
    pseudo, sub,
};
use contract::{
    custom::{CONTEXT_PURPOSE, CONTEXT_STACK, SSH_KEY_PREFIX, SSH_KEY_PURPOSE, SshKeyData, SshKeyProperties},
    environment::SshKeyEnvironment,
};

use super::{
    function::{Functions, Settings},
    lifecycle::Cleaner,
    parameters::Parameters,
    side::Deployment,
    storage::Storage,
};

/// The stack's keys.
pub(super) struct Keys {
    /// The KMS key.
    pub(super) key: Handle<Key>,
    /// The attributes of the SSH key.
    pub(super) ssh_key: SshKeyData<Deployment>,
}

impl Keys {
    /// Lets `role` use the KMS key for this stack's SSH keys and for nothing else.
    pub(super) fn grant(key: &Handle<Key>, role: &mut Role, grant: Grant) {
        let context = [(CONTEXT_STACK, pseudo::stack_name()), (CONTEXT_PURPOSE, SSH_KEY_PURPOSE.into())];
        key.grant_under(role, &context, grant);
    }
}

/// The days in which a deleted KMS key can be restored: as few as KMS allows, since a new stack
/// creates a new one.
const PENDING_DAYS: u8 = 7;
/// The timeout for making a key, RSA with 4,096 bits included, in seconds.
const TIMEOUT: u16 = 60;
const MADE: Evidence = Evidence::Scenario("a_stack_gets_its_ssh_key_and_keeps_it");
const LISTED: Evidence = Evidence::Scenario("a_repository_gets_a_key_of_its_own");

/// Adds the KMS key and a function that creates the SSH key, which the cleaner will delete.
pub(super) fn add(
    stack: &mut Stack,
    functions: &Functions<'_>,
    parameters: &Parameters,
    storage: &Storage,
    cleaner: &Cleaner,
) -> Result<Keys, TemplateError> {
    let key = Key::rotating("Encrypts the SSH key that git2s3 fetches with", PENDING_DAYS);
    let key = stack.add_with("KeyEncryptionKey", key, Attributes::default().deleted_with_stack());
    let name = sub(["alias/".into(), pseudo::stack_name().into(), "-ssh-key".into()]);
    stack.add("KeyEncryptionKeyAlias", Alias::new(name, &key));

    let settings = Settings {
        id: "SshKey",
        binary: "ssh-key",
        description: "Makes the SSH key when the stack is created, and keys of single repositories when asked",
        memory: 1769,
        timeout: TIMEOUT,
    };
    let environment: SshKeyEnvironment<Deployment> = SshKeyEnvironment {
        key_bucket: storage.keys.name(),
        kms_key: key.id_of_key(),
        key_type: parameters.key_type.value(),
        stack_name: pseudo::stack_name(),
    };
    let function = functions.add(
        stack,
        &settings,
        Attributes::default().after(cleaner),
        |role| {
            let reason = "encrypts SSH keys for this stack and this purpose";
            Keys::grant(&key, role, Grant::because(reason, MADE, &[Action::KmsEncrypt]));
            let reason = "stores the encrypted SSH key, and finds the one of an earlier try";
            let grant = Grant::because(reason, MADE, &[Action::S3PutObject, Action::S3GetObject]);
            storage.keys.grant(role, &format!("{SSH_KEY_PREFIX}*"), grant);
            let reason = "lists the keys of repositories, and learns that a repository has none";
            storage.keys.grant_on_bucket(role, Grant::because(reason, LISTED, &[Action::S3ListBucket]));
        },
        |function| function.environment(&environment),
    );
    let properties: SshKeyProperties<Deployment> = SshKeyProperties {
        key_bucket: storage.keys.name(),
        kms_key: key.id_of_key(),
        key_type: parameters.key_type.value(),
        stack_name: pseudo::stack_name(),
    };
    let resource = CustomResource::new(&function, TIMEOUT, properties);
    let resource = stack.add("SshKey", resource);
    Ok(Keys { key, ssh_key: resource.attributes()? })
}
