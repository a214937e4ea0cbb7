"""Channels: independent ways to say how odd a unit is, and how they become one score."""

from logwarden.channels.base import Channel, Finding, Reading
from logwarden.channels.ensemble import Ensemble
from logwarden.channels.novelty import NoveltyChannel
from logwarden.channels.rate import RateChannel
from logwarden.channels.text import TextChannel

__all__ = ["Channel", "Ensemble", "Finding", "NoveltyChannel", "RateChannel", "Reading", "TextChannel"]
