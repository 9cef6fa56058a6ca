"""The real Redis server of the tests of metrics and of the live ones."""

from tests.support.redis_fixtures import redis_server as redis_server
from tests.support.redis_fixtures import redis_servers as redis_servers
