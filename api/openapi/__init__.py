"""The OpenAPI document: every route with what it takes and what it answers, at `GET /openapi.json`."""
