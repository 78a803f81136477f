//! Failures of a deletion that a retry can get past, after a remedy or after some time. On AWS a
//! bucket may get an object late, ACM takes minutes to notice that a certificate isn't used any
//! more, and the network interfaces of functions outlive them by up to 45 minutes.

use std::time::Duration;

use super::stack::Resource;

/// How long deletions are retried in all. The slowest known one, of a Lambda network interface,
/// takes up to 45 minutes.
pub(super) const PATIENCE: Duration = Duration::from_mins(50);

const SHORTEST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_mins(1);

/// The remedy for a resource that could not be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Deleting what is in this bucket.
    Empty(String),
    /// Waiting; the text says for what and how long it usually takes.
    Wait(&'static str),
}

/// The remedy for a resource, if one is known.
fn remedy(failed: &Resource) -> Option<Remedy> {
    let reason = failed.reason.as_deref().unwrap_or_default();
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    match failed.kind.as_str() {
        "AWS::S3::Bucket" if says(&["BucketNotEmpty", "not empty"]) => Some(Remedy::Empty(failed.physical_id.clone())),
        "AWS::CertificateManager::Certificate" if says(&["in use", "ResourceInUse"]) => Some(Remedy::Wait(
            "ACM still takes it for used by the domain that is gone, usually for less than ten minutes",
        )),
        "AWS::EC2::SecurityGroup"
            if says(&["DependencyViolation", "dependent object", "Exceeded attempts to wait"]) =>
        {
            Some(Remedy::Wait("Lambda still has a network interface in it, usually for 20 to 45 minutes"))
        }
        _ => None,
    }
}

/// The remedies for all of these; `None` if one of them has no known remedy, or if the list is
/// empty.
pub(super) fn remedies(failed: &[Resource]) -> Option<Vec<(&Resource, Remedy)>> {
    // Cancelled because of another resource in the list.
    let causes = failed.iter().filter(|one| !one.reason.as_deref().is_some_and(super::events::is_cancelled));
    let found: Option<Vec<_>> = causes.map(|one| Some((one, remedy(one)?))).collect();
    found.filter(|found| !found.is_empty())
}

/// Pauses between deletions, from two seconds to a minute.
#[derive(Debug)]
pub(super) struct Pauses {
    next: Duration,
}

impl Pauses {
    pub(super) fn new() -> Self {
        Self { next: SHORTEST }
    }

    pub(super) fn take(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(kind: &str, reason: &str) -> Resource {
        Resource {
            logical_id: "X".to_owned(),
            kind: kind.to_owned(),
            physical_id: "x".to_owned(),
            status: "DELETE_FAILED".to_owned(),
            reason: Some(reason.to_owned()),
        }
    }

    const NOT_EMPTY: &str =
        "The bucket you tried to delete is not empty (Service: S3, Status Code: 409, Request ID: A)";
    const IN_USE: &str =
        "Certificate arn:aws:acm:eu-central-1:1:certificate/a in account 1 is in use. (Service: Acm, Status Code: 400)";
    const DEPENDENT: &str = "resource sg-1 has a dependent object (Service: Ec2, Status Code: 400, Request ID: A)";

    #[test]
    fn recoverable_failures_have_remedies() {
        let found = |kind: &str, reason: &str| remedy(&failed(kind, reason));
        assert_eq!(found("AWS::S3::Bucket", NOT_EMPTY), Some(Remedy::Empty("x".to_owned())));
        assert!(matches!(found("AWS::CertificateManager::Certificate", IN_USE), Some(Remedy::Wait(_))));
        for reason in [DEPENDENT, "DependencyViolation", "Exceeded attempts to wait"] {
            assert!(matches!(found("AWS::EC2::SecurityGroup", reason), Some(Remedy::Wait(_))), "{reason}");
        }
    }

    #[test]
    fn unknown_failure_has_no_remedy() {
        for (kind, reason) in [
            ("AWS::S3::Bucket", "Access Denied"),
            ("AWS::EC2::SecurityGroup", "is not authorized to perform: ec2:DeleteSecurityGroup"),
            ("AWS::SQS::Queue", NOT_EMPTY),
        ] {
            assert_eq!(remedy(&failed(kind, reason)), None, "{kind}: {reason}");
        }
    }

    #[test]
    fn one_unknown_failure_among_others_counts() {
        let bucket = failed("AWS::S3::Bucket", NOT_EMPTY);
        let cancelled = failed("AWS::SQS::Queue", "Resource deletion cancelled");
        let unknown = failed("AWS::IAM::Role", "Access Denied");
        assert_eq!(remedies(&[bucket.clone(), cancelled.clone()]).unwrap().len(), 1);
        assert_eq!(remedies(&[bucket, unknown]), None);
        assert_eq!(remedies(&[cancelled]), None);
        assert_eq!(remedies(&[]), None);
    }

    #[test]
    fn pauses_grow_to_a_minute() {
        let mut pauses = Pauses::new();
        let seconds: Vec<_> = (0..7).map(|_| pauses.take().as_secs()).collect();
        assert_eq!(seconds, [2, 4, 8, 16, 32, 60, 60]);
    }
}
