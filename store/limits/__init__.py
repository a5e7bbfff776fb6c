"""Limits that are kept together: the buckets in Redis that all processes share."""

from store.limits.limit_store import LimitStore
from store.limits.permit import MOST_DEMANDS, Ask, Binding, Grant
from store.limits.refusal import Refusal
from store.limits.scope_state import Gauge, LimitSource, Report, ScopeState

__all__ = [
    "MOST_DEMANDS",
    "Ask",
    "Binding",
    "Gauge",
    "Grant",
    "LimitSource",
    "LimitStore",
    "Refusal",
    "Report",
    "ScopeState",
]
