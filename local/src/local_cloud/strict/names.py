"""Valid names and descriptions: lengths and characters, where MiniStack accepts anything.

If AWS's models define them, their shapes are used. If only the documentation does, they are here
with a link.
"""

import re

from ministack.services.cloudformation import handlers
from ministack.services.cloudformation.helpers import _error

from shapes.models import shape_named
from shapes.values import problems
from strict.resources import check, refused

# "a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$*", up to 255: for groups, and for the
# descriptions of their rules.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html, API_IpRange.html
_EC2_TEXT = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}")
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
_STACK = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
# https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html, "DomainName": the first one only.
_FIRST_DOMAIN = re.compile(r".{1,64}")
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html, "FunctionName": only the name.
_FUNCTION = re.compile(r"[a-zA-Z0-9\-_]{1,64}")
# https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
_TOPIC = re.compile(r"[a-zA-Z0-9\-_]{1,256}(\.fifo)?")
# https://docs.aws.amazon.com/apigateway/latest/api/API_CreateStage.html: letters, digits, underscores, hyphens, at most 128.
_STAGE = re.compile(r"[a-zA-Z0-9\-_]{1,128}")

_RULES = {
    "AWS::EC2::SecurityGroup": {
        "GroupName": _EC2_TEXT,
        "GroupDescription": _EC2_TEXT,
        "SecurityGroupIngress[].Description": _EC2_TEXT,
        "SecurityGroupEgress[].Description": _EC2_TEXT,
    },
    "AWS::CertificateManager::Certificate": {
        "DomainName": _FIRST_DOMAIN,
        "SubjectAlternativeNames[]": ("acm", "DomainNameString"),
    },
    "AWS::Lambda::Function": {"FunctionName": _FUNCTION, "Description": ("lambda", "Description")},
    "AWS::IAM::Role": {
        "RoleName": ("iam", "roleNameType"),
        "Description": ("iam", "roleDescriptionType"),
        "Policies[].PolicyName": ("iam", "policyNameType"),
    },
    "AWS::IAM::Policy": {"PolicyName": ("iam", "policyNameType")},
    "AWS::KMS::Key": {"Description": ("kms", "DescriptionType")},
    "AWS::KMS::Alias": {"AliasName": ("kms", "AliasNameType")},
    "AWS::Logs::LogGroup": {"LogGroupName": ("logs", "LogGroupName")},
    "AWS::Logs::MetricFilter": {
        "FilterName": ("logs", "FilterName"),
        "MetricTransformations[].MetricName": ("logs", "MetricName"),
    },
    "AWS::SecretsManager::Secret": {"Name": ("secretsmanager", "NameType"), "Description": ("secretsmanager", "DescriptionType")},
    "AWS::SNS::Topic": {"TopicName": _TOPIC},
    "AWS::CloudWatch::Alarm": {"AlarmName": ("cloudwatch", "AlarmName"), "AlarmDescription": ("cloudwatch", "AlarmDescription")},
    "AWS::ApiGateway::Stage": {"StageName": _STAGE},
}


def install():
    for kind, rules in _RULES.items():
        check(kind, _look(kind, rules))
    for action in ("CreateStack", "CreateChangeSet"):
        handlers._ACTION_HANDLERS[action] = _with_a_stack_name(handlers._ACTION_HANDLERS[action])


def _look(kind, rules):
    service = kind.split("::")[1]

    def look(properties, logical_id, _stack_name):
        for path, rule in rules.items():
            for value in _at(properties, path):
                if message := _broken(value, rule):
                    raise refused(service, 400, "InvalidParameterValue", f"{path} of {logical_id}: {message}")

    return look


def _at(value, path):
    """The values at a path: for `Rules[].Description`, that of each rule."""
    name, _, rest = path.partition(".")
    value = value.get(name.removesuffix("[]"))
    for found in (value or []) if name.endswith("[]") else filter(None, [value]):
        yield from _at(found, rest) if rest else [found]


def _broken(value, rule):
    if isinstance(rule, re.Pattern):
        return None if rule.fullmatch(str(value)) else f"{len(str(value))} characters don't match {rule.pattern}"
    return next(problems(shape_named(*rule), value), None)


def _with_a_stack_name(create):
    def created(parameters):
        name = handlers._p(parameters, "StackName")
        if name.startswith("arn:") or _STACK.fullmatch(name):
            return create(parameters)
        constraint = "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        if len(name) > 128:
            constraint = "Member must have length less than or equal to 128"
        message = f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: {constraint}"
        return _error("ValidationError", message, 400)

    return created
