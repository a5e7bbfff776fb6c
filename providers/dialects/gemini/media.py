"""Media in a message: bytes go along in the request, addresses and uploaded files are named."""

import mimetypes
from typing import Any
from urllib.parse import quote

from providers.chat.parts import Audio, Document, Image, Inline, Uploaded
from providers.chat.unservable import unsupported
from providers.completion import Target
from providers.dialects.bucket_links import check_bucket_links
from providers.dialects.gemini.service import Service

_BUCKET = "gs://"
_ADDRESSES = ("https://", "http://", _BUCKET)


def write_media(part: Image | Audio | Document, place: str, target: Target, service: Service) -> dict[str, Any]:
    """Return the part. Raises Unservable for a source that the service does not know."""
    source = part.source
    if isinstance(source, Inline):
        return {"inlineData": {"mimeType": source.media_type, "data": source.data}}
    if isinstance(source, Uploaded):
        return _file(_uploaded_uri(source, place, target, service), _named_type(part), part, service)
    if not source.url.startswith(_ADDRESSES):
        raise unsupported("an s3:// address: send the file itself", place)
    if source.url.startswith(_BUCKET):
        check_bucket_links(target, place)
    return _file(source.url, source.media_type, part, service)


def _file(uri: str, media_type: str | None, part: Image | Audio | Document, service: Service) -> dict[str, Any]:
    """Name a file. Where a type must stand and the address tells none, the usual one of its kind does."""
    if media_type is None and service.wants_media_types:
        media_type = "image/jpeg" if isinstance(part, Image) else "application/pdf"
    return {"fileData": {"mimeType": media_type, "fileUri": uri} if media_type else {"fileUri": uri}}


def _uploaded_uri(source: Uploaded, place: str, target: Target, service: Service) -> str:
    """Return the URI of an uploaded file, whether the caller has its id, its name (`files/..`) or the URI itself."""
    if source.file_id.startswith(_ADDRESSES):
        if source.file_id.startswith(_BUCKET):
            check_bucket_links(target, place)
        return source.file_id
    if not service.has_files:
        raise unsupported("a file by its id: give its gs:// address or the file itself", place)
    return f"{target.base_url}/files/{quote(source.file_id.removeprefix('files/'), safe='')}"


def _named_type(part: Image | Audio | Document) -> str | None:
    name = part.filename if isinstance(part, Document) else None
    return mimetypes.guess_type(name)[0] if name else None
