"""KMS encrypts at most 4,096 bytes, and decrypts only its own, unchanged ciphertexts.

MiniStack's cipher isn't authenticated, so this remembers its ciphertexts.
https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html, API_Decrypt.html
"""

import base64
import hashlib
import json

from ministack.core.responses import error_response_json
from ministack.services import kms

LIMIT = 4096
_made = set()


def install():
    encrypt, decrypt = kms._encrypt, kms._decrypt

    def encrypt_at_most(request):
        if len(base64.b64decode(request.get("Plaintext") or "")) > LIMIT:
            message = (
                "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: "
                f"Member must have length less than or equal to {LIMIT}"
            )
            return error_response_json("ValidationException", message, 400)
        return _remembered(encrypt(request))

    def decrypt_unchanged(request):
        key = kms._resolve_key(request.get("KeyId") or "") or {}
        is_asymmetric = "_private_key" in key
        if not is_asymmetric and _digest(request.get("CiphertextBlob") or "") not in _made:
            return error_response_json("InvalidCiphertextException", "", 400)
        return decrypt(request)

    kms._encrypt, kms._decrypt = encrypt_at_most, decrypt_unchanged
    for name in ("_generate_data_key", "_generate_data_key_without_plaintext", "_generate_data_key_pair", "_generate_data_key_pair_without_plaintext"):
        setattr(kms, name, _remembering(getattr(kms, name)))


def _remembering(make):
    return lambda *arguments, **options: _remembered(make(*arguments, **options))


def _remembered(answer):
    made = json.loads(answer[2])
    for member in ("CiphertextBlob", "PrivateKeyCiphertextBlob"):
        if member in made:
            _made.add(_digest(made[member]))
    return answer


def _digest(ciphertext):
    return hashlib.sha256(base64.b64decode(ciphertext)).digest()
