"""Links into a cloud's buckets: the provider reads them with the rights of the account that calls, the operator's."""

from providers.chat.unservable import unsupported
from providers.completion import Target

SETTING = "bucket_links"


def check_bucket_links(target: Target, place: str) -> None:
    """Raise Unservable unless the operator lets every caller name objects in the account's own buckets."""
    if target.setting(SETTING) != "true":
        raise unsupported(f"an address in a bucket, unless its setting {SETTING} is true: send the file itself", place)
