"""The network interface of a function in a VPC, created and removed with the rights of the
function's role.

Without the rights, the function can't join the VPC. If they are removed before the interface, it
stays forever, and so does the security group. CloudFormation waits for the interfaces of a function
that it deletes, and then for the group.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions,
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-lambda-function-vpcconfig.html
"""

import contextvars
import itertools
import threading
import time
import uuid

from ministack.core.responses import error_response_json
from ministack.services import ec2, lambda_svc

import switches
from strict.deletions import StillInUse
from strict.resources import wrap
from strict.rights import may

_NEEDED = ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets", "DeleteNetworkInterface")
# The functions that use an interface, by its ID: they share it if subnet and groups are the same.
_users = {}
_lock = threading.RLock()


def install():
    wrap("AWS::Lambda::Function", "create", _created)
    wrap("AWS::Lambda::Function", "update", _updated)
    wrap("AWS::Lambda::Function", "delete", _deleted)
    wrap("AWS::EC2::SecurityGroup", "delete", _group_deleted)
    through_lambdas_api()
    delete_group = ec2._delete_security_group

    def delete_security_group(request):
        if message := _held(ec2._p(request, "GroupId")):
            return ec2._error("DependencyViolation", message, 400)
        return delete_group(request)

    ec2._ACTION_MAP["DeleteSecurityGroup"] = delete_security_group


def through_lambdas_api():
    create, update, delete = lambda_svc._create_function, lambda_svc._update_config, lambda_svc._delete_function

    def create_function(request):
        if message := _lacks(request.get("Role", ""), request.get("VpcConfig")):
            return error_response_json("InvalidParameterValueException", message, 400)
        answer = create(request)
        if answer[0] < 400:
            _use(request["FunctionName"], request.get("VpcConfig"))
        return answer

    def update_config(name, request):
        role = request.get("Role") or (lambda_svc._functions.get(name) or {"config": {}})["config"].get("Role", "")
        if message := _lacks(role, request.get("VpcConfig")):
            return error_response_json("InvalidParameterValueException", message, 400)
        answer = update(name, request)
        if answer[0] < 400 and "VpcConfig" in request:
            _use(name, request["VpcConfig"])
        return answer

    def delete_function(name, *arguments, **options):
        role = _role(name)
        answer = delete(name, *arguments, **options)
        if name not in lambda_svc._functions:
            _leave(name, role)
        return answer

    lambda_svc._create_function, lambda_svc._update_config = create_function, update_config
    lambda_svc._delete_function = delete_function


def _created(create):
    def created(logical_id, properties, stack_name):
        _demand(properties)
        name, attributes = create(logical_id, properties, stack_name)
        _use(name, properties.get("VpcConfig"))
        return name, attributes

    return created


def _updated(update):
    def updated(physical_id, before, after, stack_name, logical_id=None):
        _demand(after)
        name, attributes = update(physical_id, before, after, stack_name, logical_id)
        _use(name, after.get("VpcConfig"))
        return name, attributes

    return updated


def _deleted(delete):
    def deleted(name, properties):
        role = _role(name)
        with _lock:
            used = [interface for interface, users in _users.items() if name in users]
        outcome = delete(name, properties)
        _leave(name, role)
        deadline = time.monotonic() + switches.value("patience")
        while any(interface in _users and not _users[interface] for interface in used) and time.monotonic() < deadline:
            time.sleep(0.02)
        return outcome

    return deleted


def _group_deleted(delete):
    def deleted(group, properties):
        if message := _held(group):
            raise StillInUse(f"{message} (Service: Ec2, Status Code: 400, Error Code: DependencyViolation)")
        return delete(group, properties)

    return deleted


def _held(group):
    interfaces = list(ec2._network_interfaces.values())
    is_held = any(member["GroupId"] == group for interface in interfaces for member in interface["Groups"])
    return f"resource {group} has a dependent object" if is_held else None


def _demand(properties):
    if message := _lacks(properties.get("Role", ""), properties.get("VpcConfig")):
        raise ValueError(f"{message} (Service: Lambda, Status Code: 400, Error Code: InvalidParameterValueException)")


def _lacks(role, network):
    if not (network or {}).get("SubnetIds"):
        return None
    for action in _NEEDED:
        if not may(role, f"ec2:{action}"):
            return f"The provided execution role does not have permissions to call {action} on EC2"
    return None


def _role(function):
    return (lambda_svc._functions.get(function) or {"config": {}})["config"].get("Role", "")


def _use(function, network):
    network = network or {}
    subnets, groups = network.get("SubnetIds") or [], sorted(network.get("SecurityGroupIds") or [])
    lambda_svc._functions[function]["config"]["VpcConfig"] = lambda_svc._vpc_config_with_id(
        {"SubnetIds": subnets, "SecurityGroupIds": groups}
    )
    with _lock:
        used = {_interface(function, subnet, groups) for subnet in subnets}
        for interface in used:
            _users[interface].add(function)
    _leave(function, _role(function), used)


def _interface(function, subnet, groups):
    for interface in _users:
        made = ec2._network_interfaces.get(interface)
        if made and made["SubnetId"] == subnet and sorted(group["GroupId"] for group in made["Groups"]) == groups:
            return interface
    request = {"SubnetId": [subnet], "Description": [f"AWS Lambda VPC ENI-{function}-{uuid.uuid4()}"]}
    request |= {f"SecurityGroupId.{number}": [group] for number, group in zip(itertools.count(1), groups)}
    known = set(ec2._network_interfaces)
    ec2._create_network_interface(request)
    (interface,) = set(ec2._network_interfaces) - known
    ec2._network_interfaces[interface]["InterfaceType"] = "lambda"
    ec2._network_interfaces[interface]["Status"] = "in-use"
    _users[interface] = set()
    return interface


def _leave(function, role, still=frozenset()):
    with _lock:
        left = [interface for interface, users in _users.items() if function in users and interface not in still]
        for interface in left:
            _users[interface].discard(function)
    for interface in left:
        # The context contains the account.
        remove = contextvars.copy_context().run
        timer = threading.Timer(switches.value("interface_stays"), remove, (_remove, interface, role))
        timer.daemon = True
        timer.start()


def _remove(interface, role):
    made = ec2._network_interfaces.get(interface)
    if made is None or _users.get(interface):
        return
    arn = f"arn:aws:ec2:{made['AvailabilityZone'][:-1]}:{made['OwnerId']}:network-interface/{interface}"
    if may(role, "ec2:DescribeNetworkInterfaces") and may(role, "ec2:DeleteNetworkInterface", arn):
        with _lock:
            ec2._network_interfaces.pop(interface, None)
            _users.pop(interface, None)
