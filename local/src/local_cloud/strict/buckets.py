"""A bucket that isn't empty can't be deleted, not even by CloudFormation: old versions must be
deleted, too.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html
"""

import re

from ministack.services import s3

from strict.resources import refused, wrap


def install():
    wrap("AWS::S3::Bucket", "delete", _only_when_empty)


def _only_when_empty(delete):
    def delete_bucket(name, properties):
        status, _headers, body = s3._delete_bucket(name)
        if status >= 400 and status != 404:
            code = re.search(rb"<Code>(.*?)</Code>", body)[1].decode()
            raise refused("S3", status, code, "The bucket you tried to delete is not empty. You must delete all versions in the bucket.")
        return delete(name, properties)

    return delete_bucket
