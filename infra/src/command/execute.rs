//! Executing a change set, and what Ctrl-C leaves behind meanwhile.

use deployment::deploy::{Deployed, Planned};
use deployment::render::progress::Terminal;
use deployment::typed::typed;

use super::Located;
use crate::report::Interrupted;

/// Executes the change set. On Ctrl-C it says in which state that leaves the stack, since
/// CloudFormation goes on.
pub(super) async fn execute(planned: Planned, located: &Located, progress: &mut Terminal) -> anyhow::Result<Deployed> {
    let stack = &located.stack_name;
    let cancel = located.aws(&format!("cancel-update-stack --stack-name {stack}"));
    let creates = planned.creates_stack();
    let deployed = tokio::select! {
        deployed = planned.execute(progress) => Some(deployed?),
        _ = tokio::signal::ctrl_c() => None,
    };
    deployed.ok_or_else(|| {
        let undo = if creates {
            format!("{} deletes what was made", typed(&format!("destroy --stack-name {stack}")))
        } else {
            format!("`{cancel}` takes it back")
        };
        Interrupted::leaving(stack, &undo).into()
    })
}
