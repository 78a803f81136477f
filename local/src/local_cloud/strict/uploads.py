"""All parts of a multipart upload except the last have at least 5 MiB. A request deletes at most
1,000 objects.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
"""

import re

from ministack.services import s3

LEAST = 5 * 1024 * 1024
MOST = 1000


def install():
    complete, delete_objects = s3._complete_multipart_upload, s3._delete_objects

    def complete_multipart_upload(bucket, key, body, query_params, headers=None):
        upload = s3._multipart_uploads.get(s3._qp(query_params, "uploadId")) or {"parts": {}}
        numbers = sorted(int(number) for number in re.findall(rb"<PartNumber>(\d+)</PartNumber>", body))
        parts = [upload["parts"][number] for number in numbers if number in upload["parts"]]
        if any(part["size"] < LEAST for part in parts[:-1]):
            message = "Your proposed upload is smaller than the minimum allowed object size."
            return s3._error("EntityTooSmall", message, 400, f"/{bucket}/{key}")
        return complete(bucket, key, body, query_params, headers)

    def delete_many(bucket, body, headers=None):
        if len(re.findall(rb"<Object[ >]", body)) > MOST:
            return s3._error("MalformedXML", s3._MALFORMED_XML, 400, f"/{bucket}")
        return delete_objects(bucket, body, headers)

    s3._complete_multipart_upload, s3._delete_objects = complete_multipart_upload, delete_many
