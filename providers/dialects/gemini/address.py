"""The address of a call: the model's name and what is to be done with it, as a URL."""

from urllib.parse import quote

from providers.completion import Target

COLLECTIONS = ("models/", "tunedModels/", "endpoints/")
"""Where models live. A name may begin with its collection; without one it is a model of the first."""


def model_path(model: str) -> str:
    """Return a model's path below the base URL, e.g. `models/gemini-2.5-pro`; no name can leave its collection."""
    collection = next((prefix for prefix in COLLECTIONS if model.startswith(prefix)), COLLECTIONS[0])
    return collection + quote(model.removeprefix(collection), safe="@")


def model_url(target: Target, action: str) -> str:
    """Return where to call an action, e.g. `generateContent`."""
    return f"{target.base_url}/{model_path(target.model)}:{action}"
