"""A bucket has one policy: CloudFormation doesn't replace an existing one, but can import it.

MiniStack replaces it, and doesn't support the import of a policy.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-import-supported-resources.html
"""

from ministack.services import s3
from ministack.services.cloudformation import changesets, provisioners

from strict.resources import refused


def install():
    handler = provisioners._RESOURCE_HANDLERS["AWS::S3::BucketPolicy"]
    # Not if MiniStack's own update calls it: that one changes the existing policy.
    handler["create"] = _only_where_there_is_none(handler["create"])
    handler["import"] = lambda identifier: (f"{identifier['Bucket']}-policy", {})
    changesets._IMPORT_LOOKUPS["AWS::S3::BucketPolicy"] = (("Bucket",), _missing)


def _only_where_there_is_none(create):
    def created(logical_id, properties, stack_name):
        bucket = properties.get("Bucket")
        if bucket in s3._bucket_policies:
            raise refused("S3", 409, "AlreadyExists", f"The bucket policy already exists on bucket {bucket}.")
        return create(logical_id, properties, stack_name)

    return created


def _missing(bucket):
    if bucket in s3._bucket_policies:
        return None
    return f"Resource of type 'AWS::S3::BucketPolicy' with identifier '{bucket}' was not found."
