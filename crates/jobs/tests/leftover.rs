//! A worker process with threads that outlive its jobs, against Lambda's [runtime
//! API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{method, path},
};

/// A worker that is sent one job, and then waits for another.
struct WorkerProcess {
    api: MockServer,
    process: Child,
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl WorkerProcess {
    async fn with_job_of(branch: &str) -> Self {
        let api = MockServer::start().await;
        let job = json!({
            "delivery": "d-1", "repository": { "host": "github.com", "path": "o/r" },
            "reference": format!("refs/heads/{branch}"),
        });
        let record = json!({
            "messageId": "m-1", "receiptHandle": "r-1", "body": job.to_string(),
            "attributes": { "ApproximateReceiveCount": "1" }, "messageAttributes": {},
        });
        let deadline = SystemTime::UNIX_EPOCH.elapsed().unwrap() + Duration::from_mins(1);
        let next = ResponseTemplate::new(200)
            .insert_header("lambda-runtime-aws-request-id", "i-1")
            .insert_header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
            .insert_header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:111122223333:function:w")
            .set_body_json(json!({ "Records": [record] }));
        let of_next = || Mock::given(method("GET")).and(path("/2018-06-01/runtime/invocation/next"));
        of_next().respond_with(next.clone()).up_to_n_times(1).mount(&api).await;
        of_next().respond_with(next.set_delay(Duration::from_mins(10))).mount(&api).await;
        let answered = Mock::given(method("POST")).and(path("/2018-06-01/runtime/invocation/i-1/response"));
        answered.respond_with(ResponseTemplate::new(202)).mount(&api).await;
        let program = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples/stubborn");
        let process = Command::new(program)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api.address().to_string())
            .envs(["NAME", "VERSION"].map(|name| (format!("AWS_LAMBDA_FUNCTION_{name}"), "w")))
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .envs(["GROUP", "STREAM"].map(|name| (format!("AWS_LAMBDA_LOG_{name}_NAME"), "w")))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { api, process }
    }

    /// The requests of this method so far.
    async fn requests(&self, method: &str) -> Vec<Request> {
        let requests = self.api.received_requests().await.unwrap();
        requests.into_iter().filter(|request| request.method.as_str() == method).collect()
    }

    /// The exit code of the process. `None` if it requests another job first.
    async fn end(&mut self) -> Option<i32> {
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return Some(status.code().unwrap());
            }
            if self.requests("GET").await.len() > 1 {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The job's failure was reported first.
    async fn assert_answered(&self) {
        let answers = self.requests("POST").await;
        assert_eq!(answers.len(), 1);
        let answer: Value = serde_json::from_slice(&answers[0].body).unwrap();
        assert_eq!(answer["batchItemFailures"][0]["itemIdentifier"], "m-1");
    }
}

#[tokio::test]
async fn process_ends_when_thread_outlives_job() {
    let mut worker = WorkerProcess::with_job_of("stubborn").await;
    assert_eq!(worker.end().await, Some(70));
    worker.assert_answered().await;
}

#[tokio::test]
async fn process_continues_when_thread_stops() {
    let mut worker = WorkerProcess::with_job_of("obedient").await;
    assert_eq!(worker.end().await, None);
    worker.assert_answered().await;
}
