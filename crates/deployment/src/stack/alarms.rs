//! The alarms: few, each of which means that a push is, or may be, lost or late, and each with its
//! section in `docs/runbook.md`. They exist without an address, too, for use in CloudWatch or with
//! EventBridge; with one, a topic sends mail.

use aws_names::Arn;
use cfn::{
    Attributes, Condition, Handle, Optional, Stack, Value,
    cloudwatch::{Alarm, Dimension, Metric, MissingData, Statistic},
    iam::{Action, Statement},
    kms::Key,
    lambda::Function,
    logs::MetricFilter,
    pseudo,
    sns::{Subscription, Topic, TopicPolicy},
    sqs::Queue,
    sub,
};

use super::{
    endpoint::{Endpoint, STAGE},
    parameters::Parameters,
    queues::{Queues, longest_tries},
    workers::{GITPULL_TIMEOUT, Workers, ZIPDL_TIMEOUT},
};

/// The period of the alarms, in seconds.
const PERIOD: u32 = 300;
/// How long no run may begin, whatever `ReconcileEvery` is.
const LATE_HOURS: u16 = 3;
/// The days in which a deleted key can be restored: as few as KMS allows, since no kept message is
/// encrypted with it.
const PENDING_DAYS: u8 = 7;
/// The metric of refused requests.
const REFUSED: &str = "Refused";
/// The service that publishes.
const CLOUDWATCH: &str = "cloudwatch.amazonaws.com";

/// Adds the alarms and, if there is an address, the topic that they notify.
pub(super) fn add(
    stack: &mut Stack,
    parameters: &Parameters,
    endpoint: &Endpoint,
    queues: &Queues,
    workers: &Workers,
    reconciler: &Handle<Function>,
) {
    let topic = topic(stack, parameters);
    let refusals = refusals(stack, endpoint);
    let mut alarms = Alarms { stack, topic: topic.either(Handle::<Topic>::arn, Value::none()) };
    alarms.add(
        "EndpointFailure",
        "A webhook was answered with a 5xx: few Git hosts deliver it again, so that push may have no zip.",
        failures(endpoint),
        MissingData::NotBreaching,
        0,
    );
    alarms.add(
        "EndpointOverload",
        "A webhook was refused with 429, since more came than the throttle lets in: an honest push may be among them.",
        refusals,
        MissingData::NotBreaching,
        0,
    );
    let each = [
        ("GitPull", &queues.gitpull, &workers.gitpull, GITPULL_TIMEOUT),
        ("ZipDl", &queues.zipdl, &workers.zipdl, ZIPDL_TIMEOUT),
    ];
    for (worker, jobs, function, timeout) in each {
        alarms.add(
            &format!("{worker}DeadLetters"),
            "A job failed for good and waits in the dead-letter queue: its push has no zip.",
            of_queue("ApproximateNumberOfMessagesVisible", &jobs.dead_letters),
            MissingData::Ignore,
            0,
        );
        alarms.add(
            &format!("{worker}Delay"),
            "A job is older than all of its tries can take: zips come late, or not at all.",
            of_queue("ApproximateAgeOfOldestMessage", &jobs.queue),
            MissingData::Ignore,
            longest_tries(timeout),
        );
        alarms.add(
            &format!("{worker}Crash"),
            "The worker ended without a word: out of time or memory, a panic, or it did not start. Jobs that merely fail don't count.",
            crashes(function),
            MissingData::NotBreaching,
            0,
        );
    }
    alarms.add(
        "ReconcilerFailure",
        "The comparison with the hosts failed, or a host failed in two runs in a row: a push whose webhook was lost stays lost.",
        crashes(reconciler),
        MissingData::NotBreaching,
        0,
    );
    let late = Alarm::absent_for(LATE_HOURS, runs(reconciler));
    alarms.add_when(
        &parameters.reconciles,
        "ReconcilerLate",
        "The comparison with the hosts has not begun for three hours: a push whose webhook was lost stays lost.",
        late,
    );
}

struct Alarms<'a> {
    stack: &'a mut Stack,
    topic: Value<Arn<Topic>>,
}

impl Alarms<'_> {
    fn add(&mut self, name: &str, meaning: &str, metric: Metric, missing: MissingData, threshold: u32) {
        let alarm = self.complete(name, meaning, Alarm::above(threshold, metric, missing));
        self.stack.add(&format!("{name}Alarm"), alarm);
    }

    /// An alarm that exists under a condition.
    fn add_when(&mut self, condition: &Condition, name: &str, meaning: &str, alarm: Alarm) {
        let alarm = self.complete(name, meaning, alarm);
        self.stack.when(condition, |stack| stack.add(&format!("{name}Alarm"), alarm));
    }

    fn complete(&self, name: &str, meaning: &str, alarm: Alarm) -> Alarm {
        let description = format!("{meaning} What to do: docs/runbook.md, section {name}.");
        let full = sub([pseudo::stack_name().into(), format!("-{name}").as_str().into()]);
        alarm.named(full, &description).telling(self.topic.clone())
    }
}

/// A metric of a queue. SQS stops publishing it after six hours without a call, even if the queue
/// has messages; the alarm keeps its state then.
fn of_queue(name: &'static str, queue: &Handle<Queue>) -> Metric {
    let dimensions = vec![Dimension::new("QueueName", queue.name())];
    Metric { namespace: "AWS/SQS".into(), name, dimensions, statistic: Statistic::Maximum, period: PERIOD }
}

/// Failures of the endpoint: the function's error or throttling, a queue that can't be reached.
fn failures(endpoint: &Endpoint) -> Metric {
    let api = Dimension::new("ApiName", endpoint.api_name.clone());
    let dimensions = vec![api, Dimension::new("Stage", STAGE.into())];
    Metric {
        namespace: "AWS/ApiGateway".into(),
        name: "5XXError",
        dimensions,
        statistic: Statistic::Sum,
        period: PERIOD,
    }
}

/// Throttled requests. API Gateway's metric mixes them with other errors that any caller can cause;
/// only the access log shows 429. In a flood it [may omit
/// some](https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-monitor.html), so a
/// single one raises the alarm. Lambda's own throttling is a 5xx, see [`failures`].
fn refusals(stack: &mut Stack, endpoint: &Endpoint) -> Metric {
    let namespace = || sub(["git2s3/".into(), pseudo::stack_name().into()]);
    let filter = MetricFilter::counting(&endpoint.access_log, r#"{ $.status = "429" }"#, namespace(), REFUSED);
    stack.add("ApiRefusals", filter);
    Metric { namespace: namespace(), name: REFUSED, dimensions: Vec::new(), statistic: Statistic::Sum, period: PERIOD }
}

/// A worker reports a failed job to the queue and succeeds itself, so Lambda's errors are something
/// else.
fn crashes(function: &Handle<Function>) -> Metric {
    let dimensions = vec![Dimension::new("FunctionName", function.name())];
    Metric { namespace: "AWS/Lambda".into(), name: "Errors", dimensions, statistic: Statistic::Sum, period: PERIOD }
}

/// The runs of a function, by the hour.
fn runs(function: &Handle<Function>) -> Metric {
    let dimensions = vec![Dimension::new("FunctionName", function.name())];
    Metric { namespace: "AWS/Lambda".into(), name: "Invocations", dimensions, statistic: Statistic::Sum, period: 3600 }
}

/// The topic and its key. The account's SNS key lets no service publish, and its policy can't be
/// changed, so the topic has a key that CloudWatch may use, for alarms of this stack only.
fn topic(stack: &mut Stack, parameters: &Parameters) -> Optional<Handle<Topic>> {
    stack.when(&parameters.has_alarm_email, |stack| {
        let alarms = pseudo::arn("cloudwatch", ["alarm:".into(), pseudo::stack_name().into(), "-*".into()]);
        let key = Key::rotating("Encrypts the messages of git2s3's alarms", PENDING_DAYS);
        let key = key.usable_by(CLOUDWATCH, &[Action::KmsDecrypt, Action::KmsGenerateDataKey], &alarms);
        let key = stack.add_with("AlarmTopicKey", key, Attributes::default().deleted_with_stack());
        let name = sub([pseudo::stack_name().into(), "-alarms".into()]);
        let topic = stack.add("AlarmTopic", Topic::encrypted(name, &key));
        let arn = vec![topic.arn().meaning()];
        let publish = Statement::allow_service("Alarms", CLOUDWATCH, &[Action::SnsPublish], arn, &alarms);
        stack.add("AlarmTopicPolicy", TopicPolicy::tls_only_and(&topic, publish));
        stack.add("AlarmSubscription", Subscription::by_email(&topic, parameters.alarm_email.value()));
        topic
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    #[test]
    fn access_log_filter_counts_throttling() {
        let template = crate::stack::template(None).unwrap().into_value();
        let properties = |id: &str| template["Resources"][id]["Properties"].clone();
        let (filter, alarm, stage) =
            (properties("ApiRefusals"), properties("EndpointOverloadAlarm"), properties("ApiStage"));

        // In the log format that the stage writes, in which the status is a string.
        let log = filter["LogGroupName"]["Ref"].as_str().unwrap();
        let destination = stage["AccessLogSetting"]["DestinationArn"]["Fn::Sub"].as_str().unwrap();
        assert!(destination.ends_with(&format!(":log-group:${{{log}}}")), "{destination}");
        let format: Json = serde_json::from_str(stage["AccessLogSetting"]["Format"].as_str().unwrap()).unwrap();
        assert_eq!(
            (&format["status"], &filter["FilterPattern"]),
            (&"$context.status".into(), &r#"{ $.status = "429" }"#.into())
        );

        let [metric] = &filter["MetricTransformations"].as_array().unwrap()[..] else { panic!("{filter}") };
        assert_eq!((&metric["MetricNamespace"], &metric["MetricName"]), (&alarm["Namespace"], &alarm["MetricName"]));
        assert_eq!((&alarm["Threshold"], &alarm["TreatMissingData"]), (&0.into(), &"notBreaching".into()));
    }
}
