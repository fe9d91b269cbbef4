"""Ingestion policies: what happens between an event that passed the checks and durable storage."""

from quarry.policy.base import EventSink, Policy
from quarry.policy.counters import PolicyCounters
from quarry.policy.make import POLICY_NAMES, make_policy
from quarry.policy.strict import StrictPolicy

__all__ = ["POLICY_NAMES", "EventSink", "Policy", "PolicyCounters", "StrictPolicy", "make_policy"]
