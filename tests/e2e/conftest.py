"""What browser tests share."""

from tests.support.browser import browser, page, page_errors
from tests.support.page_modules import modules

__all__ = ["browser", "modules", "page", "page_errors"]
