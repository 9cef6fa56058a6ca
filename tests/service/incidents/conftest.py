"""A Redis for the incidents that need one."""

from tests.support.redis_fixtures import redis_server as redis_server
from tests.support.redis_fixtures import redis_servers as redis_servers
