"""Who may see the pages, where whoever runs them asks for a login by OpenID Connect.

Streamlit does the protocol, with the section ``[auth]`` of its secrets; here is only who may pass.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

import streamlit as st

LOGIN_VARIABLE: Final = "LOGWARDEN_LOGIN"
"""Environment variable that is ``required`` where nobody may pass without a login."""
EMAILS_VARIABLE: Final = "LOGWARDEN_LOGIN_EMAILS"
"""Environment variable with who may pass, such as ``ann@example.com,*@example.org``; empty for all with a login."""
VERIFIED_VARIABLE: Final = "LOGWARDEN_LOGIN_VERIFIED_EMAIL"
"""Environment variable, ``optional`` where a provider is trusted that does not say whether it verified an address."""


def may_pass() -> bool:
    """Whether the pages may be shown. Where they may not, what a person can do about it is drawn instead.

    A login that is required and not set up lets nobody pass.
    """
    if os.environ.get(LOGIN_VARIABLE) != "required":
        return True
    if not getattr(st.user, "is_logged_in", False):
        st.subheader("Logwarden")
        st.write("Sign in to see anomalies and logs.")
        st.button("Sign in", type="primary", on_click=st.login)
        return False
    user = st.user.to_dict()
    patterns = [one for one in os.environ.get(EMAILS_VARIABLE, "").split(",") if one]
    if not is_allowed(user, patterns, trust_unstated=os.environ.get(VERIFIED_VARIABLE) == "optional"):
        st.error(f"{user.get('email') or 'This account'} may not see these pages.", icon=":material/lock:")
        st.button("Sign out", on_click=st.logout)
        return False
    return True


def is_allowed(user: Mapping[str, Any], patterns: Sequence[str], *, trust_unstated: bool = False) -> bool:
    """Whether a person whom the provider knows may pass. An address that the provider did not verify is none.

    With ``trust_unstated``, an address is also one where the provider does not say whether it verified it.
    """
    if not patterns:
        return True
    email = str(user.get("email") or "").lower()
    verified = str(user.get("email_verified", trust_unstated)).lower() == "true"
    return bool(email) and verified and any(fnmatchcase(email, pattern.lower()) for pattern in patterns)
