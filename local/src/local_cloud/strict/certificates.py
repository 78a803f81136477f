"""A certificate can't be deleted while a domain name uses it, and for a while after that.

CloudFormation gives up before ACM notices; a second deletion of the stack, a while later, works.
https://github.com/aws/aws-cdk/issues/36265, https://docs.aws.amazon.com/acm/latest/APIReference/API_DeleteCertificate.html
"""

import time

from ministack.core.responses import error_response_json
from ministack.services import acm, apigateway_v1

import switches
from strict.deletions import StillInUse
from strict.resources import wrap

_USERS = ("regionalCertificateArn", "certificateArn")
# When the last domain name of a certificate was deleted, by the certificate's ARN.
_left = {}


def install():
    delete_domain_name = apigateway_v1._delete_domain_name
    delete_certificate = acm._delete_certificate

    def domain_name_is_deleted(name, *arguments, **options):
        domain = apigateway_v1._domain_names.get(name) or {}
        for arn in filter(None, (domain.get(user) for user in _USERS)):
            _left[arn] = time.monotonic()
        return delete_domain_name(name, *arguments, **options)

    def certificate_is_deleted(request):
        if _is_used(request.get("CertificateArn", "")):
            return error_response_json("ResourceInUseException", _message(request["CertificateArn"]), 400)
        return delete_certificate(request)

    apigateway_v1._delete_domain_name = domain_name_is_deleted
    acm._delete_certificate = certificate_is_deleted
    wrap("AWS::CertificateManager::Certificate", "delete", _only_when_unused)


def _only_when_unused(delete):
    def delete_certificate(arn, properties):
        if _is_used(arn):
            raise StillInUse(f"{_message(arn)} (Service: Acm, Status Code: 400, Error Code: ResourceInUseException)")
        return delete(arn, properties)

    return delete_certificate


def _is_used(arn):
    if any(domain.get(user) == arn for domain in apigateway_v1._domain_names.values() for user in _USERS):
        return True
    return arn in _left and time.monotonic() < _left[arn] + switches.value("certificate_stays")


def _message(arn):
    return f"Certificate {arn} in account {arn.split(':')[4]} is in use."
