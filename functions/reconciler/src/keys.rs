//! Which keys of the output bucket are zips of references. Everything else in it is left alone.

/// Whether the object with this key may be the zip of a reference: not a manifest, and not the zip
/// of a commit, which never changes.
pub fn may_be_of_reference(key: &str) -> bool {
    key.strip_suffix(".zip").is_some_and(|_| !is_of_commit(key))
}

/// Whether it is `{prefix}/commit/{commit}/{owner}_{repo}.zip`. A branch may have such a name, too,
/// but then the file isn't named after what is before it.
fn is_of_commit(key: &str) -> bool {
    let mut parts = key.rsplitn(4, '/');
    let (Some(file), Some(commit), Some("commit"), Some(prefix)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let is_id = matches!(commit.len(), 40 | 64) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let stem = file.strip_suffix(".zip").unwrap_or(file);
    let without_host = prefix.split_once('/').map_or(prefix, |(_, path)| path);
    is_id && [prefix, without_host].iter().any(|path| path.replace('/', "_") == stem)
}

#[cfg(test)]
mod tests {
    use contract::{CommitId, Job, KeyLayout};
    use serde_json::json;

    use super::*;

    fn job(path: &str, reference: &str) -> Job {
        let repository = json!({ "host": "git.example", "path": path });
        serde_json::from_value(json!({ "delivery": "d", "repository": repository, "reference": reference })).unwrap()
    }

    #[test]
    fn zips_of_references_are_told_apart() {
        let commit: CommitId = "a".repeat(40).parse().unwrap();
        for layout in KeyLayout::ALL {
            for path in ["o/r", "g/s/r", "r", "commit/r", "o/commit"] {
                for reference in
                    ["refs/heads/main", "refs/heads/x", &format!("refs/heads/commit/{commit}"), "refs/tags/v1"]
                {
                    let key = job(path, reference).artifact_key(layout, Some("main"));
                    assert!(may_be_of_reference(&key), "{key}");
                    assert!(!may_be_of_reference(&contract::manifest::manifest_key(&key)), "{key}");
                }
                let kept = job(path, "refs/heads/main").commit_key(layout, &commit);
                assert!(!may_be_of_reference(&kept), "{kept}");
            }
        }
        for other in ["", "readme.txt", "commit/x.zip.bak"] {
            assert!(!may_be_of_reference(other), "{other}");
        }
    }
}
