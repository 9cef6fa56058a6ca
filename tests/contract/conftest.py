"""Fixtures that contracts share with the tests of one implementation."""

from tests.service.local.conftest import base as base
from tests.support.redis_fixtures import redis_server as redis_server
from tests.support.redis_fixtures import redis_servers as redis_servers
