"""The role that CloudFormation assumes for a stack: callers must be allowed to pass it, and the
stack keeps it.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html. CloudFormation isn't
limited to the role's rights here: MiniStack's calls functions directly.
"""

from urllib.parse import parse_qs

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.responses import get_region
from ministack.services import cloudformation
from ministack.services.cloudformation import handlers
from ministack.services.cloudformation.helpers import _error, _esc

_ACTIONS = ("CreateStack", "UpdateStack", "CreateChangeSet", "DeleteStack", "ContinueUpdateRollback")
_ROLE = "RoleARN"


def install():
    request, describe = cloudformation.handle_request, handlers._ACTION_HANDLERS["DescribeStacks"]

    async def handle_request(method, path, headers, body, query_params):
        form = {**query_params, **parse_qs(body.decode(errors="replace"))}
        action, role = (form.get(name, [""])[0] for name in ("Action", _ROLE))
        if role and action in _ACTIONS and (message := _may_not_pass(headers, query_params, role)):
            return _error("AccessDenied", message, 403)
        stack = form.get("StackName", [""])[0]
        # A deleted stack is found only by its ID.
        before = handlers._resolve_stack(stack) if role and action == "DeleteStack" else None
        answer = await request(method, path, headers, body, query_params)
        if role and action in _ACTIONS and answer[0] < 300 and (found := before or handlers._resolve_stack(stack)):
            found[_ROLE] = role
        return answer

    def described(parameters):
        status, headers, body = describe(parameters)
        text = body.decode() if isinstance(body, bytes) else body
        for stack in cloudformation._stacks.values():
            if role := stack.get(_ROLE):
                identity = f"<StackId>{_esc(stack['StackId'])}</StackId>"
                text = text.replace(identity, f"{identity}<RoleARN>{_esc(role)}</RoleARN>")
        return status, headers, text.encode() if isinstance(body, bytes) else text

    cloudformation.handle_request = handle_request
    handlers._describe_stacks = described
    handlers._ACTION_HANDLERS["DescribeStacks"] = described


def _may_not_pass(headers, query_params, role):
    access_key = app.extract_access_key_id(headers, query_params)
    context = {"iam:PassedToService": "cloudformation.amazonaws.com"}
    denied = iam_evaluator.enforce(access_key, "iam:PassRole", "iam", get_region(), role, context)
    return denied and f"User is not authorized to perform: iam:PassRole on resource: {role}"
