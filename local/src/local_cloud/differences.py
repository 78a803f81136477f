"""Fixes MiniStack's differences from AWS, so that correct policies and templates work here.

Without these fixes, conditions on TLS and on an encryption context, rights on log streams and a
secret's ARN would deny everything; a push of two references would be refused; a stack with a web
ACL couldn't be created; and a right that AWS requires would look unnecessary.
"""

import contextvars
import json
import re
from urllib.parse import parse_qs

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam, kms, s3, waf
from ministack.services.cloudformation import _stacks, changesets, drift, handlers, provisioners, stacks
from ministack.services.cloudformation.helpers import _error

from decisions import role_of
from strict.resources import wrap


def install():
    loopback_counts_as_tls()
    what_kms_is_asked_for_are_condition_keys()
    a_log_stream_is_asked_for_itself()
    an_alias_is_asked_for_itself()
    a_batch_is_asked_for_as_one_message()
    ref_of_a_secret_is_its_arn()
    a_template_associates_a_web_acl()
    who_may_not_list_is_not_told_of_absence()
    a_change_set_hides_secret_parameters()
    a_change_set_has_what_its_conditions_ask_for()
    a_resource_tells_which_stack_has_it()
    a_list_of_resources_tells_why()
    the_name_of_what_is_imported_is_no_conflict()
    a_change_set_is_of_its_stack()
    a_role_of_a_template_has_its_boundary()
    what_is_asked_for_by_path_is_known()
    tags_of_a_new_object_are_asked_for()
    the_source_of_events_is_a_condition_key()


def loopback_counts_as_tls():
    """Nothing leaves this machine, so TLS would protect nothing."""
    pin_request_origin = app.pin_request_origin
    app.pin_request_origin = lambda address, _secure: pin_request_origin(address, True)


def what_kms_is_asked_for_are_condition_keys():
    """The encryption context, the algorithm of a signature, and what an imported key is for.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
    """
    request_tag_context = iam_actions.request_tag_context

    def request_context(service, action, body, parameters):
        context = request_tag_context(service, action, body, parameters)
        if service == "kms":
            try:
                request = json.loads(body)
            except ValueError:
                return context
            for key, value in (request.get("EncryptionContext") or {}).items():
                context[f"kms:EncryptionContext:{key}"] = value
            if "SigningAlgorithm" in request:
                context["kms:SigningAlgorithm"] = request["SigningAlgorithm"]
            named = request.get("KeyId") or request.get("TargetKeyId")
            key = kms._resolve_key(named) if named else request
            if key and key.get("Origin") == "EXTERNAL":
                context.update({"kms:KeyOrigin": "EXTERNAL", "kms:KeyUsage": key.get("KeyUsage", "ENCRYPT_DECRYPT")})
        return context

    iam_actions.request_tag_context = request_context


def a_log_stream_is_asked_for_itself():
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html"""
    resource_arn = iam_actions.extract_resource_arn

    def resource_of_request(service, method, path, headers, body, *arguments):
        arn = resource_arn(service, method, path, headers, body, *arguments)
        if service == "logs" and (stream := json.loads(body or b"{}").get("logStreamName")):
            return f"{arn}:log-stream:{stream}"
        return arn

    iam_actions.extract_resource_arn = resource_of_request


def an_alias_is_asked_for_itself():
    """AWS asks for the key, too: https://docs.aws.amazon.com/kms/latest/developerguide/alias-access.html"""
    resource_arn = iam_actions.extract_resource_arn

    def resource_of_request(service, method, path, headers, body, *arguments):
        arn = resource_arn(service, method, path, headers, body, *arguments)
        if service == "kms" and arn == "*" and (alias := json.loads(body or b"{}").get("AliasName")):
            return f"arn:aws:kms:{get_region()}:{get_account_id()}:{alias}"
        return arn

    iam_actions.extract_resource_arn = resource_of_request


def a_batch_is_asked_for_as_one_message():
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html"""
    iam_action = iam_actions.extract_iam_action

    def action_of_request(*arguments, **options):
        action = iam_action(*arguments, **options)
        if action and action.startswith("sqs:"):
            return action.removesuffix("Batch")
        return action

    iam_actions.extract_iam_action = action_of_request


def ref_of_a_secret_is_its_arn():
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html"""
    secret = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
    create, update, delete = secret["create"], secret["update"], secret["delete"]

    def name_of(arn):
        return provisioners._sm._resolve(arn)[0] or arn

    def identified_by_arn(outcome):
        attributes = outcome[1]
        return attributes["Arn"], attributes

    secret["create"] = lambda *arguments: identified_by_arn(create(*arguments))
    secret["update"] = lambda arn, *arguments, **options: identified_by_arn(update(name_of(arn), *arguments, **options))
    secret["delete"] = lambda arn, properties: delete(name_of(arn), properties)
    # Else each secret counts as deleted by hand.
    read, supported = drift._DRIFT_READERS["AWS::SecretsManager::Secret"]
    drift._DRIFT_READERS["AWS::SecretsManager::Secret"] = (lambda arn, properties: read(name_of(arn), properties), supported)


def a_template_associates_a_web_acl():
    """What WAF's own API does: MiniStack's CloudFormation doesn't know this type."""

    def associate(_logical_id, properties, _stack_name):
        status, _headers, body = waf._associate_web_acl(properties)
        if status >= 400:
            raise ValueError(f"AWS::WAFv2::WebACLAssociation: {body!r}")
        return f"{properties['WebACLArn']}|{properties['ResourceArn']}", {}

    provisioners._RESOURCE_HANDLERS["AWS::WAFv2::WebACLAssociation"] = {
        "create": associate,
        "delete": lambda _physical_id, properties: waf._disassociate_web_acl(properties),
    }


def who_may_not_list_is_not_told_of_absence():
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_RequestSyntax, "Permissions"."""
    s3_request = s3.handle_request

    async def s3_request_of(method, path, headers, body, query_params, *arguments, **options):
        answer = await s3_request(method, path, headers, body, query_params, *arguments, **options)
        bucket, _, key = path.lstrip("/").partition("/")
        access_key = app.extract_access_key_id(headers, query_params)
        if method in ("GET", "HEAD") and key and answer[0] == 404 and role_of(access_key):
            arn = f"arn:aws:s3:::{bucket}"
            # S3 looks at this right by itself: nobody asked for a list.
            if iam_evaluator.enforce(access_key, "s3:ListBucket", "s3", get_region(), arn, asked=False):
                return s3._error("AccessDenied", "Access Denied", 403, path)
        return answer

    s3.handle_request = s3_request_of


def a_change_set_hides_secret_parameters():
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html, "NoEcho"."""
    describe = changesets._describe_change_set

    def described(parameters):
        status, headers, body = describe(parameters)
        name, stack = (changesets._p(parameters, key) for key in ("ChangeSetName", "StackName"))
        _, change_set = changesets._find_change_set(name, stack)
        declared = ((change_set or {}).get("_template") or {}).get("Parameters") or {}
        for key, definition in declared.items():
            if str(definition.get("NoEcho", "")).lower() == "true":
                value = f"(<ParameterKey>{key}</ParameterKey><ParameterValue>)[^<]*".encode()
                body = re.sub(value, rb"\g<1>****", body if isinstance(body, bytes) else body.encode())
        return status, headers, body

    changesets._describe_change_set = described
    handlers._ACTION_HANDLERS["DescribeChangeSet"] = described


def a_change_set_has_what_its_conditions_ask_for():
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html"""
    resolve = changesets._resolve_props_for_diff

    def resolved(template, params, *arguments):
        found = resolve(template, params, *arguments)
        conditions = changesets._evaluate_conditions(template, params) if template else {}
        resources = found.get("Resources", {}).items()
        return {"Resources": {name: one for name, one in resources if conditions.get(one.get("Condition"), True)}}

    changesets._resolve_props_for_diff = resolved


def a_resource_tells_which_stack_has_it():
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResources.html, "PhysicalResourceId"."""
    describe = handlers._ACTION_HANDLERS["DescribeStackResources"]

    def described(parameters):
        physical_id = handlers._p(parameters, "PhysicalResourceId")
        if not physical_id or handlers._p(parameters, "StackName"):
            return describe(parameters)
        for stack in list(_stacks.values()):
            resources = stack.get("_resources", {}).values()
            if stack.get("StackStatus") != "DELETE_COMPLETE" and any(one.get("PhysicalResourceId") == physical_id for one in resources):
                return describe({**parameters, "StackName": [stack["StackName"]]})
        return _error("ValidationError", f"Stack for {physical_id} does not exist", 400)

    handlers._ACTION_HANDLERS["DescribeStackResources"] = described


def a_list_of_resources_tells_why():
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackResourceSummary.html, "ResourceStatusReason"."""
    listed = handlers._ACTION_HANDLERS["ListStackResources"]

    def list_resources(parameters):
        status, headers, body = listed(parameters)
        body = body if isinstance(body, bytes) else body.encode()
        stack = handlers._resolve_stack(handlers._p(parameters, "StackName")) or {}
        for logical_id, resource in stack.get("_resources", {}).items():
            if reason := handlers._resource_status_reason_xml(resource).encode():
                told = f"<LogicalResourceId>{logical_id}</LogicalResourceId>.*?</ResourceStatus>".encode()
                body = re.sub(told, lambda found: found[0] + reason, body, count=1)
        return status, headers, body

    handlers._ACTION_HANDLERS["ListStackResources"] = list_resources


def the_name_of_what_is_imported_is_no_conflict():
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html"""
    deploy, validation_errors = changesets._deploy_stack_async, stacks._validation_errors
    imported = contextvars.ContextVar("what_a_deployment_imports", default=())

    async def deploy_stack(*arguments, imports=None, **options):
        token = imported.set(tuple(imports or ()))
        try:
            await deploy(*arguments, imports=imports, **options)
        finally:
            imported.reset(token)

    def errors(*arguments, **options):
        found = validation_errors(*arguments, **options)
        return [error for error in found if error[2] != "NAME_CONFLICT_VALIDATION" or error[0] not in imported.get()]

    changesets._deploy_stack_async, stacks._validation_errors = deploy_stack, errors


def a_change_set_is_of_its_stack():
    """Permissions for a change set are those for its stack, even if only the change set is named:
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
    """
    resource_arn = iam_actions.extract_resource_arn

    def resource_of_request(service, method, path, headers, body, query_params, *arguments):
        arn = resource_arn(service, method, path, headers, body, query_params, *arguments)
        if service == "cloudformation" and arn == "*":
            form = {**query_params, **parse_qs((body or b"").decode(errors="replace"))}
            named = form.get("ChangeSetName", [""])
            _, change_set = changesets._find_change_set(named[0] if isinstance(named, list) else named)
            return (change_set or {}).get("StackId", arn)
        return arn

    iam_actions.extract_resource_arn = resource_of_request


def a_role_of_a_template_has_its_boundary():
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html"""

    def bounded(change):
        def changed(*arguments, **options):
            # The new properties are the second argument of what makes a role, and the third of what
            # changes one.
            name, attributes = change(*arguments, **options)
            properties = arguments[2] if isinstance(arguments[2], dict) else arguments[1]
            iam._roles[name]["PermissionsBoundary"] = properties.get("PermissionsBoundary")
            return name, attributes

        return changed

    for operation in ("create", "update"):
        wrap("AWS::IAM::Role", operation, bounded)


def what_is_asked_for_by_path_is_known():
    """MiniStack doesn't authorize calls whose action it doesn't recognise: CloudWatch's protocol,
    and Lambda's account settings.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
    """
    iam_action, resource_arn = iam_actions.extract_iam_action, iam_actions.extract_resource_arn

    def action_of_request(service, method, path, *arguments, **options):
        if service == "monitoring" and "/operation/" in path:
            return f"cloudwatch:{path.rsplit('/', 1)[-1]}"
        if service == "lambda" and path.rstrip("/").endswith("/account-settings"):
            return "lambda:GetAccountSettings"
        return iam_action(service, method, path, *arguments, **options)

    def resource_of_request(service, method, path, *arguments):
        # MiniStack can't parse this body. Only alarms have names in such calls, and no role here
        # may access them.
        if service == "monitoring" and "/operation/" in path:
            return "*"
        return resource_arn(service, method, path, *arguments)

    iam_actions.extract_iam_action, iam_actions.extract_resource_arn = action_of_request, resource_of_request


def tags_of_a_new_object_are_asked_for():
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html#tagging-and-policies"""
    additional_checks = iam_actions.s3_additional_checks

    def checks_of_request(method, path, headers, *arguments):
        checks = additional_checks(method, path, headers, *arguments)
        parts = [part for part in path.split("/") if part]
        if len(parts) >= 2 and method in ("PUT", "POST") and headers.get("x-amz-tagging"):
            checks.append(("s3:PutObjectTagging", f"arn:aws:s3:::{parts[0]}/{'/'.join(parts[1:])}"))
        return checks

    iam_actions.s3_additional_checks = checks_of_request


def the_source_of_events_is_a_condition_key():
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html#events-source-context"""
    request_tag_context = iam_actions.request_tag_context

    def request_context(service, action, body, parameters):
        context = request_tag_context(service, action, body, parameters)
        if service == "events" and action == "events:PutEvents":
            entries = json.loads(body or b"{}").get("Entries") or [{}]
            if source := entries[0].get("Source"):
                context["events:source"] = source
        return context

    iam_actions.request_tag_context = request_context
