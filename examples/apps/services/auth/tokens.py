"""Hashed passwords, and signed tokens (JWT with HS256)."""

import base64
import hashlib
import hmac
import json
import os

COST = {"n": 2**15, "r": 8, "p": 3, "maxmem": 64 * 2**20}
"""What OWASP recommends for scrypt with 32 MB."""

HEADER = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()


def hash_password(password):
    """Return the password hashed, with a salt of its own: 16 bytes of salt, then the hash."""
    salt = os.urandom(16)
    return salt + hashlib.scrypt(password.encode(), salt=salt, **COST)


def check_password(password, hashed):
    """Return whether it is the password that was hashed."""
    salt, expected = hashed[:16], hashed[16:]
    return hmac.compare_digest(hashlib.scrypt(password.encode(), salt=salt, **COST), expected)


def sign_token(user, expires, secret):
    """Return a token that says who ``user`` is until ``expires``, in seconds since 1970."""
    said = f"{HEADER}.{_encode(json.dumps({'sub': user, 'exp': expires}).encode())}"
    return f"{said}.{_encode(_sign(said, secret))}"


def read_token(token, secret, now):
    """Return who a token is for; None if it is not ours, or no longer good."""
    header, _, rest = token.partition(".")
    claims, _, signature = rest.partition(".")
    # The header is always ours: a token never chooses how it is checked.
    expected = _encode(_sign(f"{HEADER}.{claims}", secret))
    if header != HEADER or not hmac.compare_digest(expected.encode(), signature.encode()):
        return None
    said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return said["sub"] if said["exp"] > now else None


def _sign(text, secret):
    return hmac.digest(secret, text.encode(), "sha256")


def _encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
