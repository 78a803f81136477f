//! What S3 and KMS refuse.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use local::call::Call;
use serde_json::json;

use crate::world::World;

/// The smallest size of all parts except the last.
const LEAST: usize = 5 * 1024 * 1024;

#[tokio::test]
async fn invalid_s3_and_kms_requests_fail() {
    let world = World::start().await;
    let s3 = &world.account.s3;
    s3.create_bucket().bucket("here").send().await.unwrap();

    for (first, is_taken) in [(LEAST - 1, false), (LEAST, true)] {
        let upload = s3.create_multipart_upload().bucket("here").key("zip").send().await.unwrap().upload_id.unwrap();
        let mut parts = CompletedMultipartUpload::builder();
        for (number, size) in [(1, first), (2, 1)] {
            let part = s3.upload_part().bucket("here").key("zip").upload_id(&upload).part_number(number);
            let tag = part.body(ByteStream::from(vec![0; size])).send().await.unwrap().e_tag.unwrap();
            parts = parts.parts(CompletedPart::builder().part_number(number).e_tag(tag).build());
        }
        let complete = s3.complete_multipart_upload().bucket("here").key("zip").upload_id(&upload);
        let answer = complete.multipart_upload(parts.build()).send().await;
        assert_eq!(answer.is_ok(), is_taken, "{answer:?}");
        assert!(is_taken || format!("{answer:?}").contains("EntityTooSmall"));
    }

    for (keys, is_taken) in [(1001, false), (1000, true)] {
        let all = (0..keys).map(|key| ObjectIdentifier::builder().key(key.to_string()).build().unwrap()).collect();
        let delete = Delete::builder().set_objects(Some(all)).build().unwrap();
        let answer = s3.delete_objects().bucket("here").delete(delete).send().await;
        assert_eq!(answer.is_ok(), is_taken, "{keys} keys: {answer:?}");
    }

    let kms = async |action: &str, body: serde_json::Value| {
        world.account.send(&Call::json("kms", &format!("TrentService.{action}"), &body)).await.unwrap()
    };
    let key = kms("CreateKey", json!({})).await.json().unwrap()["KeyMetadata"]["KeyId"].clone();
    let encrypt = async |bytes: usize| {
        kms("Encrypt", json!({ "KeyId": key, "Plaintext": STANDARD.encode(vec![b'x'; bytes]) })).await
    };
    let refused = encrypt(4097).await;
    assert!(refused.status == 400 && refused.body.contains("less than or equal to 4096"), "{refused:?}");
    let blob = encrypt(4096).await.json().unwrap()["CiphertextBlob"].as_str().unwrap().to_owned();
    assert_eq!(world.account.decrypt(&STANDARD.decode(&blob).unwrap(), &json!({})).await.unwrap().len(), 4096);
    let mut other = STANDARD.decode(&blob).unwrap();
    *other.last_mut().unwrap() ^= 1;
    let refused = world.account.decrypt(&other, &json!({})).await.unwrap_err();
    assert!(format!("{refused:?}").contains("InvalidCiphertextException"), "{refused:?}");
}
