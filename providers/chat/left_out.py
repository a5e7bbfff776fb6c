"""Parts of a request that some deployments leave out, beside whole fields; the receipt names them so."""

NAMES = "messages[].name"
"""Who speaks, beside the role."""
REASONING = "messages[].reasoning_content"
"""Reasoning of an earlier answer that this provider does not take back: it is another's, or bears no seal."""
STRICT_TOOLS = "tools[].function.strict"
"""That calls keep to the schema of their tool."""
