"""AWS's models, and the services that they are used for."""

from functools import cache

from botocore.loaders import Loader
from botocore.model import ServiceModel

# MiniStack's name of a service, and botocore's.
COVERED = {
    name: name
    for name in (
        "acm", "apigateway", "cloudformation", "events", "iam", "kms", "lambda", "logs", "s3", "secretsmanager", "sns", "sqs", "sts",
    )
} | {"monitoring": "cloudwatch"}

_LOADER = Loader()


class Model:
    """A service with its operations, built once because botocore builds a shape on every access."""

    def __init__(self, name):
        self.name = name
        self.service = ServiceModel(_LOADER.load_service_model(name, "service-2"), name)
        self.protocol = self.service.metadata["protocol"]
        self._operations = {}

    def operation(self, name):
        if name not in self.service.operation_names:
            return None
        if name not in self._operations:
            self._operations[name] = self.service.operation_model(name)
        return self._operations[name]

    def operations(self):
        return [self.operation(name) for name in self.service.operation_names]


@cache
def _model(name):
    return Model(name)


def of(service):
    return _model(COVERED[service]) if service in COVERED else None


@cache
def shape_named(service, name):
    return _model(service).service.shape_for(name)
