//! Checks a parameter's value with the functions' own parsers before anything is done. With a value
//! that they can't read, the functions would fail at their start and every push would be lost.

use contract::{AllowedHosts, AllowedIps, ApiSecrets, KeyLayout, Patterns, Refs, Repositories, Switch, Truth};
use secrecy::{ExposeSecret, SecretString};

/// The parser's error, whose message contains no secret.
pub(super) type Complaint = Box<dyn std::error::Error + Send + Sync>;

/// Checks a value. One that no function parses is always accepted.
pub(super) fn check(parameter: &str, value: &SecretString) -> Result<(), Complaint> {
    let text = value.expose_secret();
    match parameter {
        "AllowedGitHosts" => drop(text.parse::<AllowedHosts>()?),
        "AllowedIps" => drop(text.parse::<AllowedIps>()?),
        "ApiSecret" => ApiSecrets::parse(value).refused().first().cloned().map_or(Ok(()), Err)?,
        "ExcludeGit" => drop(text.parse::<Truth>()?),
        "KnownHosts" => known_hosts_file::read(text).try_for_each(|line| line.map(drop))?,
        "KeyLayout" => drop(text.parse::<KeyLayout>()?),
        "Lfs" | "Submodules" => drop(text.parse::<Switch>()?),
        "Paths" => drop(Patterns::parse("Paths", text)?),
        "Refs" => drop(text.parse::<Refs>()?),
        "Repositories" => drop(text.parse::<Repositories>()?),
        _ => {}
    }
    Ok(())
}

/// The environment variable of a parameter: `GIT2S3_API_SECRET` of `ApiSecret`,
/// `GIT2S3_OAUTH_SECRET` of `OAuthSecret`.
pub(super) fn variable(parameter: &str) -> String {
    let mut words = String::from("GIT2S3_");
    let mut lower_before = false;
    for character in parameter.chars() {
        if character.is_uppercase() && lower_before {
            words.push('_');
        }
        lower_before = character.is_lowercase() || character.is_ascii_digit();
        words.extend(character.to_uppercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_function_value_is_refused() {
        let refuse = |parameter: &str, value: &str, expected: &str| {
            assert_eq!(check(parameter, &value.into()).unwrap_err().to_string(), expected);
        };
        refuse(
            "AllowedIps",
            "18.205.93.0/25",
            "AllowedIps has the entry \"18.205.93.0/25\", which names no host: write HOST=18.205.93.0/25, for example \
             bitbucket.org=18.205.93.0/25",
        );
        refuse(
            "ApiSecret",
            "good,[github.com/acme/*hunter2",
            "entry 2 of ApiSecret begins with [ and has no ] after its globs",
        );
        refuse("Repositories", "[", "Repositories has the entry \"[\", expected a glob");
        refuse("Refs", "refs/heads/{main", "Refs has the entry \"refs/heads/{main\", expected a glob");
        refuse("Paths", "[", "Paths has the entry \"[\", expected a glob");
        refuse("Lfs", "On", "\"On\" is neither on nor off");
        refuse("ExcludeGit", "no", "\"no\" is neither True nor False");
        refuse("KnownHosts", "git.example", "line 1 of KnownHosts is not `host key-type key`");
        refuse("KeyLayout", "host", "KeyLayout is \"host\", expected path or host/path");
        let hosts = check("AllowedGitHosts", &"github.com=gitlub".into()).unwrap_err().to_string();
        assert!(hosts.contains("whose kind is none of github, gitlab"), "{hosts}");
    }

    #[test]
    fn readable_function_value_is_accepted() {
        for (parameter, value) in [
            ("AllowedIps", ""),
            ("AllowedIps", "bitbucket.org=18.205.93.0/25"),
            ("ApiSecret", "hunter2,[github.com/{acme,beta}/*]hunter3"),
            ("Repositories", "github.com/{acme,beta}/*,!github.com/acme/secret"),
            ("KeyLayout", "host/path"),
            ("KnownHosts", "# none\n"),
            ("OutputBucketName", "anything"),
        ] {
            assert!(check(parameter, &value.into()).is_ok(), "{parameter}={value}");
        }
    }

    #[test]
    fn variables_are_named_after_parameters() {
        for (parameter, expected) in [
            ("ApiSecret", "GIT2S3_API_SECRET"),
            ("GitToken", "GIT2S3_GIT_TOKEN"),
            ("OAuthSecret", "GIT2S3_OAUTH_SECRET"),
            ("QSS3KeyPrefix", "GIT2S3_QSS3_KEY_PREFIX"),
        ] {
            assert_eq!(variable(parameter), expected);
        }
    }
}
