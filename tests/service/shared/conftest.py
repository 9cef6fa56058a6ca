"""Servers for these tests."""

from tests.support.redis_fixtures import redis_server as redis_server
from tests.support.redis_fixtures import redis_servers as redis_servers
