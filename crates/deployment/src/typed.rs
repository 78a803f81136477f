//! Commands as the user types them: with `./justw` there may be no `infra` on the path, and the
//! reverse. So a hint uses the one that was typed.

/// The variable with what was typed before a command's name, if not `infra`.
const VARIABLE: &str = "GIT2S3_TYPED";

/// One of our commands with its arguments, in backticks.
pub fn typed(command: &str) -> String {
    after(std::env::var(VARIABLE).ok().as_deref(), command)
}

fn after(typed: Option<&str>, command: &str) -> String {
    format!("`{} {command}`", typed.filter(|typed| !typed.is_empty()).unwrap_or("infra"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_what_was_typed() {
        assert_eq!(after(None, "status"), "`infra status`");
        assert_eq!(after(Some(""), "status"), "`infra status`");
        assert_eq!(after(Some("./justw"), "destroy --stack-name a"), "`./justw destroy --stack-name a`");
    }
}
