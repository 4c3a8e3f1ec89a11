"""``perfagents.toml``: what to measure, where it lies, and how. :func:`load_config` validates it whole."""

from pytest_perfagents.config.file import Config, load_config
from pytest_perfagents.config.protocol import COUNTERS, MODES, ProtocolConfig
from pytest_perfagents.config.repos import RepoConfig

__all__ = ["COUNTERS", "MODES", "Config", "ProtocolConfig", "RepoConfig", "load_config"]
