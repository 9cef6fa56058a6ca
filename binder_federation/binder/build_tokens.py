"""Build tokens: leave to build and launch one spec, signed by the federation for one member.

HS256 JSON web tokens (RFC 7519) in the shape of BinderHub's, with `aud` the
`<provider>/<spec>` of the request; they also carry what the member must know of
the visitor's request.
"""

import hashlib
import hmac
import json
import re
from binascii import b2a_base64
from functools import lru_cache
from typing import NamedTuple

import jwt

from binder_federation.binder.errors import InvalidSpec, NotAuthorized

LIFETIME_SECONDS = 300
_ALGORITHM = "HS256"
_quoted = json.encoder.encode_basestring_ascii
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}", re.ASCII)
_REF = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}", re.ASCII)
_HEADER = b2a_base64(b'{"alg":"HS256","typ":"JWT"}', newline=False).rstrip(b"=")


class BuildClaims(NamedTuple):
    """What a build token says."""

    audience: str
    """`<provider>/<spec>` as in the URL, still percent-encoded."""
    client_address: str = ""
    launch_host: str = ""
    """The federation's public URL, where the visitor launched."""
    request: str = ""
    """The visitor's link as asked for, `v2/<provider>/<spec>`."""
    origin: str = ""
    launch: str = ""
    """The launch, as this member knows it: who asks again for the same gets the same server."""
    user: str = ""
    """The hub's name of a visitor who is logged in; empty for all others."""
    resolved_ref: str = ""
    """What the federation resolved the spec to, where the audience does not say it already: of a
    DOI, a member is told the version that everybody else was told."""


def sign_build_token(key: str, claims: BuildClaims, *, now: float) -> str:
    """A token for `claims` that is valid for `LIFETIME_SECONDS` from `now` (seconds since 1970).

    Raises `InvalidSpec` for a user whose name no hub should be given, or such a resolved ref.
    """
    issued_at = int(now)
    # By hand (RFC 7515, 3.1): it is on the path of every launch, and jwt.encode takes
    # five times as long. Tokens are read with the library.
    payload = (
        f'{{"aud":{_quoted(claims.audience)},"iat":{issued_at},"exp":{issued_at + LIFETIME_SECONDS}'
        f',"ip":{_quoted(claims.client_address)},"launch_host":{_quoted(claims.launch_host)}'
        f',"request":{_quoted(claims.request)},"origin":{_quoted(claims.origin)}'
        f',"launch":{_quoted(claims.launch)}{_user_claim(claims.user)}'
        f"{_ref_claim(claims.resolved_ref)}}}"
    )
    signed = b"%b.%b" % (_HEADER, _base64url(payload.encode("ascii")))
    signature = hmac.digest(_signing_key(key), signed, "sha256")
    return (b"%b.%b" % (signed, _base64url(signature))).decode("ascii")


def verify_build_token(key: str, token: str, *, audience: str) -> BuildClaims:
    """The claims in `token`; `NotAuthorized` when it is not for `audience`, too old or forged."""
    try:
        payload = jwt.decode(
            token,
            _signing_key(key),
            algorithms=[_ALGORITHM],
            audience=audience,
            leeway=30,
            options={"require": ["exp", "aud"]},
        )
    except jwt.ExpiredSignatureError as error:
        raise NotAuthorized("The build token has expired.") from error
    except jwt.PyJWTError as error:
        raise NotAuthorized("The build token is not valid for this launch.") from error
    return BuildClaims(
        audience=audience,
        client_address=str(payload.get("ip", "")),
        launch_host=str(payload.get("launch_host", "")),
        request=str(payload.get("request", "")),
        origin=str(payload.get("origin", "")),
        launch=str(payload.get("launch", "")),
        user=_read_user(payload.get("user", "")),
        resolved_ref=_read_ref(payload.get("ref", "")),
    )


def _user_claim(user: str) -> str:
    if not user:
        return ""
    if not _USER.fullmatch(user):
        raise InvalidSpec("The user's name is not one that a member's hub can have.")
    return f',"user":{_quoted(user)}'


def _read_user(claim: object) -> str:
    """The name goes into paths of the hub's API, so it is looked at again."""
    if claim == "":
        return ""
    if not isinstance(claim, str) or not _USER.fullmatch(claim):
        raise NotAuthorized("The build token names a user that no hub can have.")
    return claim


def _ref_claim(ref: str) -> str:
    if not ref:
        return ""
    if not _REF.fullmatch(ref):
        raise InvalidSpec("The provider's version of this is not one that can be passed on.")
    return f',"ref":{_quoted(ref)}'


def _read_ref(claim: object) -> str:
    """It goes into requests to the provider, so it is looked at again."""
    if claim == "":
        return ""
    if not isinstance(claim, str) or not _REF.fullmatch(claim):
        raise NotAuthorized("The build token names a version that no provider has.")
    return claim


def _base64url(data: bytes) -> bytes:
    return b2a_base64(data, newline=False).rstrip(b"=").translate(_URL_SAFE)


@lru_cache(maxsize=4096)
def _signing_key(credential: str) -> bytes:
    """HS256 wants 32 bytes (RFC 7518, 3.2); a credential may have any length, and another use."""
    return hashlib.sha256(b"binder build token\0" + credential.encode()).digest()
