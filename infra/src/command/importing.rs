//! The additional steps of `infra deploy --import-bucket`: inspecting the bucket before the change
//! set, and after it the update that makes it like every output bucket.

use deployment::deploy::{self, Deployed, Deployment, Found, ImportError, Plan, Settings, Standing};
use deployment::render::progress::{Progress, Terminal};

use super::Located;
use crate::report::Usage;

/// The parameter that names the output bucket.
const PARAMETER: &str = "OutputBucketName";

/// Sets the bucket's name as parameter, unless another one was given.
pub(super) fn name(deployment: &mut Deployment, bucket: &str) -> anyhow::Result<()> {
    let settings = Settings::new(&deployment.template, &deployment.parameters, None);
    let given = settings.value(PARAMETER);
    if !given.is_empty() && given != bucket {
        let message = format!("--import-bucket says {bucket}, and {PARAMETER} another name");
        return Err(Usage { message, hint: Some(format!("leave {PARAMETER} out")) }.into());
    }
    deployment.parameters = std::mem::take(&mut deployment.parameters).with(PARAMETER, bucket);
    Ok(())
}

/// The bucket as found; `None` if the stack has it already from an earlier deployment.
pub(super) async fn found(
    located: &Located,
    bucket: &str,
    standing: &Standing,
    progress: &mut Terminal,
) -> anyhow::Result<Option<Found>> {
    if !standing.exists() {
        return Ok(Some(deploy::find_bucket(&located.account, &located.stack_name, bucket).await?));
    }
    if standing.bucket() != Some(bucket) {
        let (stack, bucket) = (located.stack_name.clone(), standing.bucket().map(str::to_owned));
        return Err(ImportError::Stack { stack, bucket }.into());
    }
    progress.step(&format!("bucket {bucket} is in stack {} already", located.stack_name));
    Ok(None)
}

/// Plans the stack that imports the bucket.
pub(super) async fn plan(
    located: &Located,
    deployment: &Deployment,
    found: &Found,
    progress: &mut Terminal,
) -> anyhow::Result<Plan> {
    let first = Deployment { template: found.first(&deployment.template)?, ..deployment.clone() };
    Ok(deploy::plan_import(&located.account, &first, progress).await?)
}

/// Updates to the stack's own template, as announced before the confirmation.
pub(super) async fn finish(
    located: &Located,
    deployment: &Deployment,
    deployed: Deployed,
    progress: &mut Terminal,
) -> anyhow::Result<Deployed> {
    progress.step("the bucket is in the stack; now it gets what every output bucket has");
    match deploy::plan(&located.account, deployment, progress).await? {
        Plan::Unchanged(_) => Ok(deployed),
        Plan::Changes(planned) => super::execute::execute(*planned, located, progress).await,
    }
}
