"""Hooks for this folder between CloudFormation and the functions that create, change and delete
resources.
"""

from ministack.services.cloudformation import provisioners


def wrap(resource_type, operation, wrapper):
    """Replaces the function by `wrapper(inner)`, even if other functions of the type call it by
    name.
    """
    handler = provisioners._RESOURCE_HANDLERS[resource_type]
    inner = handler[operation]
    outer = wrapper(inner)
    handler[operation] = outer
    for name, value in list(vars(provisioners).items()):
        if value is inner:
            setattr(provisioners, name, outer)


def check(resource_type, look):
    """Calls `look(properties, logical_id, stack_name)` before a resource is created or changed. It
    may raise.
    """

    def before_create(create):
        def checked(logical_id, properties, stack_name):
            look(properties, logical_id, stack_name)
            return create(logical_id, properties, stack_name)

        return checked

    def before_update(update):
        def checked(physical_id, before, after, stack_name, logical_id=None, **options):
            look(after, logical_id or physical_id, stack_name)
            return update(physical_id, before, after, stack_name, *filter(None, [logical_id]), **options)

        return checked

    wrap(resource_type, "create", before_create)
    if "update" in provisioners._RESOURCE_HANDLERS[resource_type]:
        wrap(resource_type, "update", before_update)


def refused(service, status, code, message):
    """CloudFormation's status reason when a service refuses."""
    return ValueError(f"{message} (Service: {service}, Status Code: {status}, Error Code: {code})")
