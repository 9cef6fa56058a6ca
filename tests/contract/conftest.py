"""Fixtures that contracts share with the tests of one implementation."""

from tests.service.local.conftest import base as base
