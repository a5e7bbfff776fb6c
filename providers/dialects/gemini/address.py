"""The address of a call: the model's name and what is to be done with it, as a URL."""

from urllib.parse import quote

from providers.completion import Target

ENDPOINTS = "endpoints/"
"""Models of a project's own. They stand beside the publishers, not below one."""
COLLECTIONS = ("models/", "tunedModels/", ENDPOINTS)
"""Where models live. A name may begin with its collection; without one it is a model of the first."""


def model_path(model: str) -> str:
    """Return a model's path below the base URL, e.g. `models/gemini-2.5-pro`; no name can leave its collection."""
    collection = next((prefix for prefix in COLLECTIONS if model.startswith(prefix)), COLLECTIONS[0])
    return collection + quote(model.removeprefix(collection), safe="@")


def model_url(target: Target, action: str) -> str:
    """Return where to call an action, e.g. `generateContent`."""
    path = model_path(target.model)
    base = target.base_url.partition("/publishers/")[0] if path.startswith(ENDPOINTS) else target.base_url
    return f"{base}/{path}:{action}"
