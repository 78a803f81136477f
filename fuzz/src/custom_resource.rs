//! CloudFormation events: none crashes the function, and no error reveals the URL for responses.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    time::{Duration, SystemTime},
};

use contract::{
    Runtime,
    custom::{BucketCleanerProperties, SshKeyProperties},
    error_chain,
};
use custom_resource::{Answer, CustomResource, Request, RunError};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime as Tokio};

thread_local! {
    static TOKIO: Tokio = Builder::new_current_thread().enable_all().build().unwrap();
}

/// A resource that exists immediately.
struct AtOnce;

impl CustomResource for AtOnce {
    type Properties = BTreeMap<String, Value>;
    type Data = BTreeMap<String, Value>;
    type Error = Infallible;

    fn owns(&self, physical_resource_id: &str) -> bool {
        !physical_resource_id.is_empty()
    }

    async fn create(&self, request: Request<Self::Properties>) -> Result<Answer<Self::Data>, Self::Error> {
        Ok(Answer { physical_resource_id: request.logical_resource_id, data: request.properties })
    }

    async fn update(&self, request: Request<Self::Properties>) -> Result<Answer<Self::Data>, Self::Error> {
        self.create(request).await
    }

    async fn delete(&self, _request: Request<Self::Properties>) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Responses must go nowhere: nothing here may use the network.
const NOWHERE: &str = "ftp://192.0.2.1/presigned";

/// The input is the event.
pub fn custom_resource(data: &[u8]) {
    let Ok(mut event) = serde_json::from_slice::<Value>(data) else { return };
    let properties = event.get("ResourceProperties").cloned().unwrap_or_default();
    drop(serde_json::from_value::<SshKeyProperties<Runtime>>(properties.clone()));
    drop(serde_json::from_value::<BucketCleanerProperties<Runtime>>(properties));
    let mut answerable = false;
    if let Some(url) = event.get_mut("ResponseURL").filter(|url| url.is_string()) {
        *url = NOWHERE.into();
        answerable = true;
    }
    let deadline = SystemTime::now() + Duration::from_mins(1);
    let error = TOKIO.with(|tokio| tokio.block_on(custom_resource::run(event, deadline, AtOnce))).unwrap_err();
    assert!(answerable || matches!(error, RunError::NoSender(_)), "{error:?}");
    assert!(!error_chain(&error).contains(NOWHERE) && !format!("{error:?}").contains(NOWHERE));
}
